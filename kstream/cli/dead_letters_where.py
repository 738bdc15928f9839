"""Which sources a ``dead-letters`` command works on."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError, DeadLetterError
from kstream.redrive.directory_source import DirectorySource
from kstream.redrive.item import Unreadable
from kstream.redrive.opening import FORMS, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.local.state_dir import StateDir
    from kstream.redrive.source import Source


@dataclass(frozen=True, slots=True)
class Where:
    """``endpoint_url`` and ``region`` as ``kstream.aws.clients.client`` reads them."""

    state_dir: StateDir
    endpoint_url: str | None
    region: str | None

    @property
    def folder(self) -> Path:
        """Of the consumers of this state directory. There is none before their first dead letter."""
        return self.state_dir.path / "dead-letters"

    @property
    def journal(self) -> Path:
        return self.state_dir.path / "redrive.sqlite"

    @property
    def lock(self) -> Path:
        return self.state_dir.path / "redrive.lock"

    def sources(self, named: str | None) -> list[Source]:
        """The one that was named, or every consumer's in the state directory. Raises ``ConfigurationError``, also where
        nothing was ever given up."""
        if named is not None:
            return [open_source(named, endpoint_url=self.endpoint_url, region=self.region)]
        if not self.folder.is_dir():
            raise ConfigurationError(f"no source is named, and there is no {self.folder}: give {FORMS}")
        return [DirectorySource(path) for path in sorted(self.folder.iterdir()) if path.is_dir()]


def letters_below(named: str | None) -> str:
    """Which folders of the directory that was named hold letters, and how to list one; "" if none do.

    Such a directory is that of all consumers' folders, and a source is one of these.
    """
    folder = Path((named or "").removeprefix("dir:"))
    if named is None or not folder.is_dir():
        return ""
    holding = [path for path in sorted(folder.iterdir()) if path.is_dir() and _holds_letters(path)]
    if not holding:
        return ""
    names = ", ".join(f"{path.name} ({DirectorySource(path).count():,})" for path in holding)
    return f"letters lie in its folders {names}: kstream dead-letters list {quote(str(holding[0]))}"


def _holds_letters(folder: Path) -> bool:
    try:
        return any(not isinstance(item.content, Unreadable) for item in DirectorySource(folder).items())
    except DeadLetterError:  # not ours to read: it is not what was asked for
        return False


@contextmanager
def held_open(source: Source) -> Iterator[Source]:
    """The source, and at the end nothing of it is held back from others."""
    with closing(source):
        yield source
