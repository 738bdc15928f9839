"""A runner's checkpoints in memory: held to the same promises as those that are kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from kstream.stores.checkpoints import ShardCheckpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.stores.checkpoints import StreamKey


class MemoryCheckpoints:
    """``Checkpoints`` that end with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._saved: dict[StreamKey, dict[str, ShardCheckpoint]] = {}

    def load(self, stream: StreamKey) -> dict[str, ShardCheckpoint]:
        with self._lock:
            return dict(self._saved.get(stream, {}))

    def save(self, stream: StreamKey, checkpoints: Mapping[str, ShardCheckpoint]) -> None:
        with self._lock:
            shards = self._saved.setdefault(stream, {})
            for shard_id, new in checkpoints.items():
                old = shards.get(shard_id, ShardCheckpoint())
                numbers = [each for each in (old.sequence_number, new.sequence_number) if each is not None]
                shards[shard_id] = ShardCheckpoint(
                    sequence_number=max(numbers, key=int, default=None),
                    ended=old.ended or new.ended,
                    starts_at=new.starts_at if old.starts_at is None else old.starts_at,
                )
