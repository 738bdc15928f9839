"""Locked dependencies as wheels for the function's platform, whatever this machine is.

pip downloads them: from where it is told to, and only what the lock's hashes allow. Nothing is built.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# Lambda's Pythons up to 3.11 run on Amazon Linux 2 (glibc 2.26), later ones on Amazon Linux 2023 (glibc 2.34).
_OLD_GLIBC = ("2_17", "2_24", "2_26")
_NEW_GLIBC = (*_OLD_GLIBC, "2_27", "2_28", "2_31", "2_34")
_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}


class WheelsNotFound(ConfigurationError):
    """The lock's dependencies cannot be had as wheels for the platform."""


def platforms(runtime: str, architecture: str) -> list[str]:
    """The platform tags that the runtime takes, the most general one first."""
    machine = _MACHINES[architecture]
    versions = _OLD_GLIBC if runtime == "python3.11" else _NEW_GLIBC
    return [f"manylinux2014_{machine}", *(f"manylinux_{version}_{machine}" for version in versions)]


def download(locks: Sequence[Path], runtime: str, architecture: str, to: Path) -> list[Path]:
    """All wheels of the locks, in ``to``. Raises ``WheelsNotFound``, with what pip said."""
    if missing := [lock for lock in locks if not lock.exists()]:
        raise WheelsNotFound(
            f"there is no lock {missing[0]}: `make lock` writes requirements/function.lock, and for functions that trace "
            "function-xray.lock beside it (tracing = false does without)"
        )
    version = runtime.removeprefix("python")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
        "--require-hashes", "--only-binary", ":all:", "--implementation", "cp",
        "--python-version", version, "--dest", str(to),
    ]  # fmt: skip
    for lock in locks:
        command += ["--requirement", str(lock)]
    for platform in platforms(runtime, architecture):
        command += ["--platform", platform]
    for abi in (f"cp{version.replace('.', '')}", "abi3", "none"):
        command += ["--abi", abi]
    with tempfile.TemporaryFile() as said:
        code = subprocess.run(command, stdout=said, stderr=said, check=False).returncode  # noqa: S603 - pip, with our arguments
        said.seek(0)
        words = said.read().decode(errors="replace").strip()
    if code:
        raise WheelsNotFound(
            f"pip cannot get what {' and '.join(map(str, locks))} names for {runtime} on {architecture}:\n{words}"
        )
    return sorted(to.glob("*.whl"))


def contents(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Its files as they would lie in site-packages; scripts and headers are left out."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            place = _place(PurePosixPath(name))
            if place is not None and not name.endswith("/"):
                yield str(place), archive.read(name)


def _place(path: PurePosixPath) -> PurePosixPath | None:
    if not path.parts[0].endswith(".data"):
        return path
    if len(path.parts) < 3 or path.parts[1] not in ("purelib", "platlib"):
        return None
    return PurePosixPath(*path.parts[2:])
