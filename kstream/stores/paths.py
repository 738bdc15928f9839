"""The path that a user gives to a store, checked where it is given."""

from __future__ import annotations

import os
from pathlib import Path

from kstream.core.errors import ConfigurationError


def absolute(where: str, given: object) -> Path:
    """This path, independent of the working directory. Raises ``ConfigurationError`` for what is none.

    ``where``  how the user wrote it, up to the value: ``SQLiteLedger(``.
    """
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(path, str):
        raise ConfigurationError(f"{where}{given!r}): a path, as a str or a pathlib.Path")
    return Path(path).absolute()
