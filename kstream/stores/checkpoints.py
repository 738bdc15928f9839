"""Where a runner's shards have got to, kept across its restarts."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from kstream.core.errors import CheckpointError, ConfigurationError
from kstream.stores.paths import absolute

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from types import TracebackType


class StreamKey(NamedTuple):
    """Whose checkpoints these are.

    ``created_at`` (seconds since the epoch) tells a stream that was deleted and made again from the old one.
    """

    consumer: str
    stream_arn: str
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCheckpoint:
    """How far a shard is settled.

    ``sequence_number``  it and everything before it is settled; None: nothing yet.
    ``ended``            the shard has been read to its end and all of it is settled.
    ``starts_at``        where to start while there is no sequence number, in seconds since the epoch.
    """

    sequence_number: str | None = None
    ended: bool = False
    starts_at: float | None = None


class Checkpoints(Protocol):
    """Keeps checkpoints. Thread-safe, and safe between processes if the store is shared. Synchronous.

    Raises ``CheckpointError`` and nothing else.
    """

    def load(self, stream: StreamKey) -> Mapping[str, ShardCheckpoint]:
        """By shard id, what was saved; empty if this consumer has never read this stream."""
        ...

    def save(self, stream: StreamKey, checkpoints: Mapping[str, ShardCheckpoint]) -> None:
        """All of them or none; durable on return. A checkpoint never goes back, nor does a shard un-end."""
        ...


# A sequence number is compared by value: by its length and then its digits, leading zeros aside. Some emulators pad it.
_SCHEMA = """CREATE TABLE IF NOT EXISTS kstream_checkpoints (
    consumer TEXT NOT NULL,
    stream_arn TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    shard_id TEXT NOT NULL,
    sequence_number TEXT,
    ended INTEGER NOT NULL,
    starts_at REAL,
    PRIMARY KEY (consumer, stream_arn, created_at_ms, shard_id)
) WITHOUT ROWID"""
_LOAD = """SELECT shard_id, sequence_number, ended, starts_at FROM kstream_checkpoints
    WHERE consumer = ? AND stream_arn = ? AND created_at_ms = ?"""
_SAVE = """INSERT INTO kstream_checkpoints AS old VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (consumer, stream_arn, created_at_ms, shard_id) DO UPDATE SET
        sequence_number = CASE
            WHEN excluded.sequence_number IS NULL THEN old.sequence_number
            WHEN old.sequence_number IS NULL THEN excluded.sequence_number
            WHEN (length(ltrim(excluded.sequence_number, '0')), ltrim(excluded.sequence_number, '0'))
               > (length(ltrim(old.sequence_number, '0')), ltrim(old.sequence_number, '0'))
            THEN excluded.sequence_number ELSE old.sequence_number END,
        ended = max(old.ended, excluded.ended),
        starts_at = coalesce(old.starts_at, excluded.starts_at)"""

_BUSY_TIMEOUT_S = 5.0
_WAL_TRIES = 50


class SQLiteCheckpoints:
    """``Checkpoints`` in the SQLite file at ``path``, made if it is not there (its directory too).

    Opened at the first use; any number of processes of one machine may share the file. It is in WAL mode with full
    synchronisation: one fsync for each save. Not on a network file system: WAL needs shared memory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = absolute("SQLiteCheckpoints(", path)
        if str(path) in {"", ":memory:"}:
            raise ConfigurationError(f"SQLiteCheckpoints({str(path)!r}) would be in memory: name a file")
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def load(self, stream: StreamKey) -> dict[str, ShardCheckpoint]:
        with self._transaction("read") as connection:
            rows = connection.execute(_LOAD, _key(stream)).fetchall()
        return {
            shard_id: ShardCheckpoint(sequence_number=sequence_number, ended=bool(ended), starts_at=starts_at)
            for shard_id, sequence_number, ended, starts_at in rows
        }

    def save(self, stream: StreamKey, checkpoints: Mapping[str, ShardCheckpoint]) -> None:
        if not checkpoints:
            return
        rows = [
            (*_key(stream), shard_id, each.sequence_number, int(each.ended), each.starts_at)
            for shard_id, each in checkpoints.items()
        ]
        with self._transaction("write") as connection:
            connection.executemany(_SAVE, rows)

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self, verb: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                connection = self._connection
                # IMMEDIATE takes the write lock at once, so that of two writers one waits and neither fails half-way.
                connection.execute("BEGIN IMMEDIATE" if verb == "write" else "BEGIN")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError) as error:
                raise CheckpointError(
                    f"cannot {verb} the checkpoints {str(self._path)!r}: {error}; this process needs a local disk "
                    "with room, and leave to write the file and its directory"
                ) from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            for attempt in range(_WAL_TRIES):
                try:
                    connection.execute("PRAGMA journal_mode = WAL")
                    break
                except sqlite3.OperationalError as error:
                    # SQLite does not wait for another process that is switching the same new file.
                    if "locked" not in str(error) or attempt == _WAL_TRIES - 1:
                        raise
                    threading.Event().wait(0.05)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection


def _key(stream: StreamKey) -> tuple[str, str, int]:
    return stream.consumer, stream.stream_arn, round(stream.created_at * 1000)
