"""Checkpoints are kept, never go back, and never get mixed up."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import CheckpointError, ConfigurationError
from kstream.stores.checkpoints import ShardCheckpoint, SQLiteCheckpoints, StreamKey
from tests.support.checkpoints import MemoryCheckpoints

if TYPE_CHECKING:
    from pathlib import Path

    from kstream.stores.checkpoints import Checkpoints

KEY = StreamKey("totals", "arn:aws:kinesis:us-east-1:1:stream/s", 1_700_000_000.123)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoints:
    return MemoryCheckpoints() if request.param == "memory" else SQLiteCheckpoints(tmp_path / "deep" / "down.db")


def test_what_is_saved_is_loaded(store: Checkpoints) -> None:
    saved = {
        "s-0": ShardCheckpoint(sequence_number="0042"),
        "s-1": ShardCheckpoint(ended=True),
        "s-2": ShardCheckpoint(starts_at=5.5),
    }
    assert store.load(KEY) == {}
    store.save(KEY, saved)
    assert store.load(KEY) == saved


@pytest.mark.parametrize(("old", "new", "kept"), [("99", "100", "100"), ("100", "99", "100"), ("0100", "99", "0100")])
def test_a_checkpoint_never_goes_back(store: Checkpoints, old: str, new: str, kept: str) -> None:
    """Compared as numbers, spelled as they came."""
    store.save(KEY, {"s-0": ShardCheckpoint(sequence_number=old)})
    store.save(KEY, {"s-0": ShardCheckpoint(sequence_number=new)})
    assert store.load(KEY)["s-0"].sequence_number == kept


def test_an_end_and_a_pin_stay(store: Checkpoints) -> None:
    store.save(KEY, {"s-0": ShardCheckpoint(starts_at=5.0)})
    store.save(KEY, {"s-0": ShardCheckpoint(sequence_number="7", ended=True)})
    store.save(KEY, {"s-0": ShardCheckpoint(starts_at=9.0)})
    assert store.load(KEY) == {"s-0": ShardCheckpoint(sequence_number="7", ended=True, starts_at=5.0)}


@pytest.mark.parametrize(
    "other",
    [KEY._replace(consumer="other"), KEY._replace(stream_arn="arn:other"), KEY._replace(created_at=1_700_000_000.124)],
)
def test_consumers_streams_and_recreated_streams_do_not_collide(store: Checkpoints, other: StreamKey) -> None:
    store.save(KEY, {"s-0": ShardCheckpoint(sequence_number="7")})
    assert store.load(other) == {}
    store.save(other, {"s-0": ShardCheckpoint(sequence_number="9")})
    assert store.load(KEY) == {"s-0": ShardCheckpoint(sequence_number="7")}


def test_other_processes_see_it_and_may_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    script = (
        "import sys\n"
        "from kstream.stores.checkpoints import *\n"
        f"key = StreamKey(*{tuple(KEY)!r})\n"
        "with SQLiteCheckpoints(sys.argv[1]) as store:\n"
        "    for n in range(50):\n"
        "        store.save(key, {sys.argv[2]: ShardCheckpoint(sequence_number=str(n)),"
        " 'both': ShardCheckpoint(sequence_number=str(n))})\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(path), shard]) for shard in ("a", "b")]
    assert [process.wait() for process in running] == [0, 0]
    with SQLiteCheckpoints(path) as store:
        assert store.load(KEY) == {name: ShardCheckpoint(sequence_number="49") for name in ("a", "b", "both")}


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    path.write_text("not a database, and long enough not to be taken for an empty one" * 20)
    store = SQLiteCheckpoints(path)
    with pytest.raises(CheckpointError, match=r"c\.db"):
        store.load(KEY)
    with pytest.raises(CheckpointError, match=r"c\.db"):
        store.save(KEY, {"s-0": ShardCheckpoint(ended=True)})


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot read"):
        SQLiteCheckpoints(tmp_path / "file" / "c.db").load(KEY)


def test_a_store_in_memory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="name a file"):
        SQLiteCheckpoints(":memory:")


@pytest.mark.parametrize("path", [None, 5])
def test_what_is_no_path_is_refused_at_once(path: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"SQLiteCheckpoints\(.*: a path"):
        SQLiteCheckpoints(path)
