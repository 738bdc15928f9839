"""Items in a directory, one file for each."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from kstream.core.errors import DeadLetterError
from kstream.redrive.item import item_of
from kstream.stores.directory import DirectoryDeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kstream.redrive.item import Item

# Still the name of a letter: whatever happens now, it is listed.
_TAKEN = ".taken.json"


class DirectorySource:
    """The directory of ``DirectoryDeadLetters``. A ``Source``."""

    can_delete = True

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._letters = DirectoryDeadLetters(self._path)

    @property
    def name(self) -> str:
        return f"dir:{self._path}"

    def items(self) -> Iterator[Item]:
        for stored in self._letters.letters():
            yield item_of(stored.key, stored.body, stored.problem)

    def count(self) -> int | None:
        return sum(1 for _ in self._path.glob("*.json"))

    def delete(self, item: Item) -> bool:
        # A consumer may store a later letter under this name at any moment. So the file is taken out of the way first,
        # and looked at then: nobody writes to its new name.
        file = self._path / item.ref
        taken = file if item.ref.endswith(_TAKEN) else file.with_suffix(_TAKEN)
        try:
            file.rename(taken)
            found = item_of(item.ref, taken.read_text(encoding="utf-8", errors="replace"))
            same = (found.key, found.generation) == (item.key, item.generation)
            if not same:
                self._put_back(taken, file)
            elif taken.exists():
                taken.unlink()
            self._sync()
        except FileNotFoundError:
            return True
        except OSError as error:
            raise DeadLetterError(
                f"cannot delete {item.ref!r} from {str(self._path)!r}: {error.strerror}; it must be a directory that "
                "this process may write to"
            ) from error
        return same

    def close(self) -> None:
        pass

    def _put_back(self, taken: Path, file: Path) -> None:
        if taken == file:
            return
        with suppress(FileExistsError):  # later still, and so it stands
            os.link(taken, file)
        taken.unlink()

    def _sync(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
