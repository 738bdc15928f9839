"""Parents before children."""

from __future__ import annotations

from kstream.core.shards import Shard
from kstream.runtimes.shard_order import startable

SPLIT = [Shard("p", closed=True), Shard("l", ("p",)), Shard("r", ("p",))]
MERGED = [Shard("a", closed=True), Shard("b", closed=True), Shard("m", ("a", "b"))]


def ids(shards: list[Shard], ended: set[str], started: set[str]) -> list[str]:
    return [shard.id for shard in startable(shards, ended=ended, started=started)]


def test_a_child_waits_for_its_parent() -> None:
    assert ids(SPLIT, set(), set()) == ["p"]
    assert ids(SPLIT, set(), {"p"}) == [], "started is not ended"
    assert ids(SPLIT, {"p"}, {"p"}) == ["l", "r"]


def test_a_merged_shard_waits_for_both_parents() -> None:
    assert ids(MERGED, {"a"}, {"a"}) == ["b"]
    assert ids(MERGED, {"a", "b"}, set()) == ["m"]


def test_a_parent_that_was_trimmed_away_is_not_waited_for() -> None:
    assert ids(SPLIT[1:], set(), set()) == ["l", "r"]
