"""Why a user's module did not import, told by the line of theirs that failed instead of a traceback."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import kstream
from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_THEIRS = tuple(
    str(Path(directory).resolve()) + os.sep
    for directory in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(kstream.__file__).parent),
    }
)


def import_error(shown: str, error: BaseException) -> ConfigurationError:
    """What to raise in place of ``error``, which importing ``shown`` raised."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError):
        what = f"{type(error).__name__}: {error.msg}"
        where = _line(error.filename or shown, error.lineno, error.text)
    else:
        where = _last_of_theirs(traceback.extract_tb(error.__traceback__))
    return ConfigurationError(f"{shown} does not import: {what}{where}{_remedy(error)}")


def _last_of_theirs(frames: Iterable[traceback.FrameSummary]) -> str:
    theirs = [frame for frame in frames if not frame.filename.startswith(("<", *_NOT_THEIRS))]
    return _line(theirs[-1].filename, theirs[-1].lineno, theirs[-1].line) if theirs else ""


def _line(filename: str, number: int | None, text: str | None) -> str:
    current = f"{Path.cwd()}{os.sep}"
    source = f"\n    {text.strip()}" if text and text.strip() else ""
    return f"\n  {filename.removeprefix(current)}, line {number}{source}"


def _remedy(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"\n  install {error.name.partition('.')[0]} where kstream is installed, or correct the import"
    return ""
