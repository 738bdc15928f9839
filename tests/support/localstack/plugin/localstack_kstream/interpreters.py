"""Which Python runs a function, and what it can import besides the function's zip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_OURS = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True)
class Interpreter:
    python: Path
    import_path: tuple[Path, ...]
    """Directories with the packages that Lambda provides, unless ``python`` has them by itself."""
    exact: bool
    """Whether it is of the version that was asked for."""


@cache
def interpreter_for(runtime: str, provided: Path) -> Interpreter:
    """The Python for a function whose ``Runtime`` is ``python3.x``.

    ``provided`` is the Python of an environment with what Lambda provides, of our own version: it runs a function that
    asks for this version. Else one on the path does that works and has the version asked for, and imports the same
    packages. Where there is none, ``provided`` runs it, for better or worse.
    """
    if runtime == _OURS:
        return Interpreter(provided, (), exact=True)
    found = shutil.which(runtime)
    if found and _version(found) == runtime:
        packages = provided.parents[1] / "lib" / _OURS / "site-packages"
        return Interpreter(Path(found), (packages,), exact=True)
    return Interpreter(provided, (), exact=False)


def _version(python: str) -> str:
    # pyenv and the like put names on the path that do not run.
    asked = [python, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
