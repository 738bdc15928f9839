"""Which sources a ``dead-letters`` command works on."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.redrive.directory_source import DirectorySource
from kstream.redrive.opening import FORMS, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@contextmanager
def held_open(source: Source) -> Iterator[Source]:
    """The source, and at the end nothing of it is held back from others."""
    with closing(source):
        yield source
