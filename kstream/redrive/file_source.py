"""Items in a file, one JSON object a line: what the local runner's mapping gave up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError, DeadLetterError
from kstream.redrive.item import item_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kstream.redrive.item import Item


class FileSource:
    """The lines of the file at ``path``. A ``Source`` that cannot delete: a runner may be appending to the file."""

    can_delete = False

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if not self._path.is_file():
            raise ConfigurationError(f"there is no file {path}: name the on-failure file of a consumer")

    @property
    def name(self) -> str:
        return f"jsonl:{self._path}"

    def items(self) -> Iterator[Item]:
        try:
            with self._path.open(encoding="utf-8", errors="replace") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield item_of(f"line {number}", line.rstrip("\n"))
        except OSError as error:
            raise DeadLetterError(f"cannot read {self._path}: {error.strerror}") from error

    def count(self) -> int | None:
        return None

    def delete(self, item: Item) -> bool:
        raise DeadLetterError(f"{item.ref}: a line cannot be deleted from {self._path}")

    def close(self) -> None:
        pass
