"""A folder for packages on their way to the bucket, and the end of those that a killed command has left."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "kstream-packages-"
_LONGEST_S = 24 * 3600.0


@contextmanager
def scratch() -> Iterator[Path]:
    """Is gone at the end. What is older than any packaging takes, a day, nobody works in any more: it goes too."""
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        yield Path(folder)


def _sweep(where: Path) -> None:
    for folder in where.glob(f"{_PREFIX}*"):
        # Others may have made it, or be taking it away at this moment.
        with suppress(OSError):
            if not folder.is_symlink() and folder.stat().st_mtime < time.time() - _LONGEST_S:
                shutil.rmtree(folder, ignore_errors=True)
