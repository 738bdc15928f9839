"""The emulator's own environment: MiniStack and what it needs, pinned with hashes, apart from ours.

It stands apart because MiniStack pins botocore to one exact version, which would decide ours. The environment is
immutable: its name holds the emulator's version, Python's, and a digest of the lock file, and it gets that name only
when it is complete. So an install that was interrupted is never used, and a new lock makes a new environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kstream.core.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EMULATOR_VERSION = "1.5.33"
LOCK_FILE = Path(__file__).with_name("ministack.lock")


def install(progress: Callable[[str], None]) -> Path:
    """Make the emulator's environment unless it is there, and return its directory.

    ``progress`` gets a line of text before each step that takes long; none if there is nothing to do. Safe for
    several processes at once: one installs, the others wait for it.

    Raises ``EmulatorError`` with the installer's own words if it fails.
    """
    environment = _home() / _name()
    if _complete(environment):
        return environment
    with _only_one(environment):
        if not _complete(environment):
            _build(environment, progress)
    return environment


def interpreter(environment: Path) -> Path:
    """The Python of an environment that ``install`` returned."""
    return environment / "bin" / "python"


def _name() -> str:
    lock = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:8]
    return f"ministack-{EMULATOR_VERSION}-py{sys.version_info.major}{sys.version_info.minor}-{lock}"


def _home() -> Path:
    """Beside the virtual environment that kstream runs in, and so removed with it; else in the user's cache."""
    if sys.prefix != sys.base_prefix:
        beside = Path(sys.prefix, "share", "kstream")
        try:
            beside.mkdir(parents=True, exist_ok=True)
        except OSError:
            pass
        else:
            return beside
    cache = Path.home() / ".cache" / "kstream"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmulatorError(
            f"There is nowhere to install the embedded Kinesis: cannot make {cache}: {error}"
        ) from error
    return cache


def _complete(environment: Path) -> bool:
    # The interpreter is a link to the Python that made it: gone when that Python was removed.
    return interpreter(environment).exists()


@contextmanager
def _only_one(environment: Path) -> Iterator[None]:
    try:
        lock = environment.with_suffix(".lock").open("w")
    except OSError as error:
        raise EmulatorError(f"Cannot install the embedded Kinesis into {environment.parent}: {error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(environment: Path, progress: Callable[[str], None]) -> None:
    partial = environment.with_suffix(".partial")
    for stale in (partial, environment):
        shutil.rmtree(stale, ignore_errors=True)
    progress(f"Installing the embedded Kinesis (MiniStack {EMULATOR_VERSION}), once, into {environment}")
    _run(
        [sys.executable, "-m", "venv", str(partial)],
        "Python could not make a virtual environment (on Debian and Ubuntu: apt-get install python3-venv)",
    )
    pip = [str(interpreter(partial)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(
        [*pip, "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK_FILE)],
        "pip could not install the embedded Kinesis; with a network, or a package index that pip is told of, try again",
    )
    # Nothing that is used refers to the old name: only the scripts in bin/ do, and the emulator is run as a module.
    partial.rename(environment)


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- a fixed command
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
        raise EmulatorError(f"{failure}:\n" + "\n".join(f"  {line}" for line in said))
