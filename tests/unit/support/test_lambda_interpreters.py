"""Which Python runs a function, by the name of its runtime."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.localstack.plugin.localstack_kstream.interpreters import Interpreter, interpreter_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that is the whole path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    interpreter_for.cache_clear()
    yield tmp_path
    interpreter_for.cache_clear()


@pytest.fixture
def provided(tmp_path: Path) -> Path:
    return tmp_path / "lambda" / "bin" / "python"


def command(path: Path, name: str, script: str) -> Path:
    (path / name).write_text(f"#!/bin/sh\n{script}\n")
    (path / name).chmod(0o755)
    return path / name


def test_our_version_runs_where_its_packages_are(provided: Path) -> None:
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"

    assert interpreter_for(ours, provided) == Interpreter(provided, (), exact=True)


def test_another_version_on_the_path_borrows_the_packages(path: Path, provided: Path) -> None:
    other = command(path, "python3.99", "echo python3.99")

    found = interpreter_for("python3.99", provided)

    assert (found.python, found.exact) == (other, True)
    assert [str(directory.relative_to(path)) for directory in found.import_path] == [
        f"lambda/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    ]


@pytest.mark.parametrize("script", ["exit 127", "echo python3.98"])
def test_one_that_does_not_run_or_is_another_is_not_taken(path: Path, provided: Path, script: str) -> None:
    command(path, "python3.99", script)

    assert interpreter_for("python3.99", provided) == Interpreter(provided, (), exact=False)
