"""Dead letters as files in a directory: one JSON file for each, easy to read, to move and to delete by hand."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kstream.core.dead_letter import DeadLetter, StoredLetter
from kstream.core.errors import DeadLetterError
from kstream.stores.paths import absolute

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIX = ".json"
_HALF_WRITTEN = ".part"


class DirectoryDeadLetters:
    """Keeps each dead letter as ``<key>.json`` in the directory at ``path``, which is made when first needed.

    A file appears whole or not at all, and is on the disk when ``put`` returns: written beside, synced, renamed. The
    same letter stored twice is one file, and the later copy stands. The files are readable by their owner alone, since
    they hold payloads. Thread-safe, and safe between processes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = absolute("DirectoryDeadLetters(", path)

    def put(self, letter: DeadLetter) -> None:
        body = letter.to_json().encode()
        try:
            if not self._path.is_dir():
                self._path.mkdir(parents=True, exist_ok=True)
                _sync(self._path.parent)
            _write(self._path / f"{letter.key}{_SUFFIX}", body)
        except OSError as error:
            raise self._error("write a dead letter into", error) from error

    def letters(self) -> Iterator[StoredLetter]:
        """All that is stored, in the order of the keys. What another process deletes on the way is left out, and what
        cannot be read is told as such, so that it hides nothing else."""
        try:
            keys = sorted(entry.name for entry in os.scandir(self._path) if entry.name.endswith(_SUFFIX))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._error("list", error) from error
        for key in keys:
            try:
                yield StoredLetter(key, self._file(key).read_text(encoding="utf-8", errors="replace"))
            except FileNotFoundError:
                continue
            except OSError as error:
                problem = f"cannot read {key!r}: {error.strerror or error}; a dead letter is a file that may be read"
                yield StoredLetter(key, "", problem)

    def read(self, key: str) -> DeadLetter:
        """The letter stored as ``key``. Raises ``DeadLetterError`` if there is none, or if it is not a letter."""
        try:
            return DeadLetter.from_json(self._file(key).read_bytes())
        except OSError as error:
            raise self._error(f"read {key!r} in", error) from error

    def delete(self, key: str) -> None:
        """Forgets the letter stored as ``key``. Harmless when it is gone already."""
        try:
            self._file(key).unlink(missing_ok=True)
            _sync(self._path)
        except OSError as error:
            raise self._error(f"delete {key!r} from", error) from error

    def _file(self, key: str) -> Path:
        if Path(key).name != key or not key.endswith(_SUFFIX):
            raise DeadLetterError(f"{key!r} is not the key of a dead letter in {str(self._path)!r}")
        return self._path / key

    def _error(self, action: str, error: OSError) -> DeadLetterError:
        return DeadLetterError(
            f"cannot {action} the dead-letter directory {str(self._path)!r}: {error.strerror or error}; "
            "it must be a directory that this process may write to, on a disk with room"
        )


def _write(target: Path, body: bytes) -> None:
    # In the same directory, because a rename is atomic within one file system only.
    descriptor, name = tempfile.mkstemp(dir=target.parent, suffix=_HALF_WRITTEN)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _sync(folder: Path) -> None:
    # Without this the file's content is on the disk, but perhaps not its name.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
