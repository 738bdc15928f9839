"""LocalStack's own environment: pinned with hashes, apart from ours, made once and never changed.

Beside LocalStack it holds the environment that Lambda functions run in, so that a function finds what Lambda provides
and nothing else, and the files that LocalStack would otherwise make, or download, at each start.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.localstack import backport

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "4.14.0"

_HERE = Path(__file__).parent
_SHARE = Path(sys.prefix, "share")
_KINESIS_LOCAL = _SHARE / "kinesis-local"
_MADE_OF = ("localstack.lock", "lambda.lock", "plugin/pyproject.toml", "backport.py", "environment.py")
_OLDEST = (3, 11)
_NEWEST = (3, 13)


@dataclass(frozen=True, slots=True)
class Environment:
    directory: Path

    @property
    def python(self) -> Path:
        return self.directory / "localstack/bin/python"

    @property
    def lambda_python(self) -> Path:
        """Has what Lambda provides, and is what runs functions."""
        return self.directory / "lambda/bin/python"

    @property
    def filesystem(self) -> Path:
        """What LocalStack's image has under /usr/lib/localstack lies in here under that path."""
        return self.directory / "filesystem"

    @property
    def cache(self) -> Path:
        return self.directory / "cache"

    @property
    def libraries(self) -> Path:
        return self.filesystem / "usr/lib/localstack"

    def kinesis_version(self) -> str:
        manifest = _KINESIS_LOCAL / "node_modules/kinesis-local/package.json"
        version: str = json.loads(manifest.read_text())["version"]
        return version


def install(progress: Callable[[str], None]) -> Environment:
    """Make the environment unless it is there. Safe for several processes at once: one installs, the others wait.

    ``progress`` gets a line before it takes long. Raises ``RuntimeError`` with the installer's words if it fails.
    """
    python = _python()
    environment = Environment(_SHARE / _name(python))
    if environment.directory.exists():
        return environment
    _SHARE.mkdir(exist_ok=True)
    with (_SHARE / "localstack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not environment.directory.exists():
            progress(f"Installing LocalStack {VERSION}, once, into {environment.directory}")
            _build(environment.directory, python)
    return environment


@dataclass(frozen=True, slots=True)
class _Python:
    path: str
    version: tuple[int, int]


def _python() -> _Python:
    """Ours, or, where that is too new for LocalStack, the newest on the path that is not."""
    if sys.version_info[:2] <= _NEWEST:
        return _Python(sys.executable, sys.version_info[:2])
    for minor in range(_NEWEST[1], _OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        # pyenv and the like put names on the path that do not run.
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return _Python(found, (3, minor))
    raise RuntimeError(
        f"LocalStack {VERSION} runs on Python 3.{_OLDEST[1]} to 3.{_NEWEST[1]}; this is {sys.version.split()[0]}, and "
        "there is no older one on the path. Install one, or use Docker: docker compose up --wait localstack"
    )


def _name(python: _Python) -> str:
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _MADE_OF)).hexdigest()[:8]
    return f"localstack-{VERSION}-py{python.version[0]}{python.version[1]}-{digest}"


def _build(directory: Path, python: _Python) -> None:
    if not (_KINESIS_LOCAL / "node_modules").exists():
        raise RuntimeError(
            f"LocalStack's Kinesis is not there: run 'make install', which puts it into {_KINESIS_LOCAL}"
        )
    partial = Environment(directory.with_name(f"{directory.name}.partial"))
    shutil.rmtree(partial.directory, ignore_errors=True)
    _run(python.path, "-m", "venv", partial.directory / "localstack")
    pip: list[str | Path] = [partial.python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    verified = ["install", "--quiet", "--no-deps", "--require-hashes", "--no-build-isolation"]
    # Some are source distributions. The one that builds them comes first, from the same lock.
    setuptools = partial.directory / "setuptools.lock"
    setuptools.write_text(_pin("setuptools", (_HERE / "localstack.lock").read_text()))
    _run(*pip, *verified, "-r", setuptools)
    _run(*pip, *verified, "-r", _HERE / "localstack.lock")
    # As a link to the checkout, so that a change takes effect without a new environment.
    _run(*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", _HERE / "plugin")

    _run(python.path, "-m", "venv", "--without-pip", partial.directory / "lambda")
    _run(*pip, "--python", partial.lambda_python, *verified, "--only-binary", ":all:", "-r", _HERE / "lambda.lock")

    (package,) = partial.directory.glob("localstack/lib/python*/site-packages/localstack")
    if python.version < _NEWEST:
        backport.rewrite_package(package)
    _run(partial.python, "-m", "compileall", "-q", package)

    kinesis = partial.libraries / "kinesis-local" / partial.kinesis_version()
    kinesis.parent.mkdir(parents=True)
    kinesis.symlink_to(_KINESIS_LOCAL)
    # The index of all services, which takes seconds, and of all entry points.
    _run(partial.python, "-m", "localstack.aws.spec", environment=partial)
    # Nothing that is used refers to the old name: only the scripts in bin/ do, and modules are run instead.
    partial.directory.rename(directory)


def _pin(package: str, lock: str) -> str:
    match = re.search(rf"^{package}==.*\n(?: .*\n)*", lock, re.MULTILINE)
    assert match is not None
    return match[0]


def _run(*command: str | Path, environment: Environment | None = None) -> None:
    # PYTHONPATH would have pip find packages that the environment has not.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if environment:
        variables |= {
            "FILESYSTEM_ROOT": str(environment.filesystem),
            "OVERRIDE_IN_DOCKER": "0",
            "XDG_CACHE_HOME": str(environment.cache),
        }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-12:]
        raise RuntimeError(
            "LocalStack could not be installed; with a network, or a package index that pip is told of, try again:\n"
            + "\n".join(f"  {line}" for line in said)
        )
