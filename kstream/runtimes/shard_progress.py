"""What is stored about a stream's shards, and where a shard starts because of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kstream.core.shards import After, AtTimestamp, TrimHorizon
from kstream.stores.checkpoints import ShardCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kstream.core.mapping import StartingPosition
    from kstream.core.shards import Shard, Start
    from kstream.stores.checkpoints import Checkpoints, StreamKey


class ShardProgress:
    """One consumer's checkpoints in one stream. Everything it is told is stored before it returns.

    Raises ``CheckpointError`` when that fails.
    """

    def __init__(self, checkpoints: Checkpoints, key: StreamKey, starting_position: StartingPosition) -> None:
        self._checkpoints = checkpoints
        self._key = key
        self._starting_position = starting_position
        self._stored = dict(checkpoints.load(key))
        self.ended = {shard_id for shard_id, stored in self._stored.items() if stored.ended}

    @property
    def first_start(self) -> bool:
        """Nothing is stored: this consumer has settled nothing of this stream, nor chosen where to start."""
        return not self._stored

    def checkpoint_of(self, shard_id: str) -> str | None:
        stored = self._stored.get(shard_id)
        return stored.sequence_number if stored else None

    def start_of(self, shard_id: str) -> Start:
        """Behind its checkpoint; else where it was pinned; else where the mapping says.

        With LATEST, a shard that is not pinned came after the first start: all that it holds is new.
        """
        stored = self._stored.get(shard_id, ShardCheckpoint())
        if stored.sequence_number is not None:
            return After(stored.sequence_number)
        if stored.starts_at is not None:
            return AtTimestamp(stored.starts_at)
        if isinstance(self._starting_position, datetime):
            return AtTimestamp(self._starting_position.timestamp())
        return TrimHorizon()

    def pin(self, shards: Iterable[Shard], since: float) -> None:
        """Fixes LATEST as the time of the first start, so that a restart skips nothing that came meanwhile.

        Of a shard that is closed already, who starts at the tip wants nothing.
        """
        self._save({shard.id: ShardCheckpoint(ended=shard.closed, starts_at=since) for shard in shards})

    def advance(self, shard_id: str, sequence_number: str) -> None:
        self._save({shard_id: ShardCheckpoint(sequence_number=sequence_number)})

    def end(self, shard_id: str) -> None:
        self._save({shard_id: ShardCheckpoint(sequence_number=self.checkpoint_of(shard_id), ended=True)})

    def _save(self, checkpoints: dict[str, ShardCheckpoint]) -> None:
        self._checkpoints.save(self._key, checkpoints)
        self._stored.update(checkpoints)
        self.ended.update(shard_id for shard_id, saved in checkpoints.items() if saved.ended)
