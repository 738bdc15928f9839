"""The bookkeeping of one batch."""

from __future__ import annotations

from kstream.core.incidents import Incidents
from kstream.core.outcome import Outcome
from kstream.core.progress import DONE, FAILED, PARKED, PENDING, SKIPPED, Progress
from kstream.core.shielded import Shielded
from tests.support.processing import aggregate_of, batch, entry

THREE = aggregate_of(("x", b"1"), ("y", b"2"), ("x", b"3"))

NOTHING = Incidents(Shielded([]))


def progress(ordering: str = "none") -> Progress:
    """Records 0 and 4 alone, with keys a and b; 1 to 3 in one aggregate under key a."""
    return Progress(batch(entry("7", key="a"), entry("08", THREE, key="a"), entry("9", key="b")), ordering)  # type: ignore[arg-type]


def test_what_a_ledger_knows_is_skipped_by_value_and_sub_sequence_number() -> None:
    given = progress()
    given.skip({8: 0b101, 9: 0, 10: 1})
    assert list(given.states) == [PENDING, SKIPPED, PENDING, SKIPPED, PENDING]
    assert (given.outcome(NOTHING).skipped, given.outcome(NOTHING).checkpoint) == (2, "7")


def test_lanes_follow_the_outer_key_and_leave_out_what_is_known() -> None:
    for ordering, lanes in (
        ("shard", [[0, 1, 3, 4]]),
        ("partition_key", [[0, 1, 3], [4]]),
        ("none", [[0], [1], [3], [4]]),
    ):
        given = progress(ordering)
        given.skip({8: 0b010})
        assert [list(lane) for lane in given.lanes()] == lanes
        given.skip({7: 1, 8: 0b111, 9: 1})
        assert [index for lane in given.lanes() for index in lane] == []


def test_the_checkpoint_is_in_the_middle_of_an_aggregate_where_its_work_stopped() -> None:
    given = progress()
    given.states[:] = bytes([DONE, PARKED, FAILED, DONE, DONE])
    outcome = given.outcome(NOTHING)
    assert (outcome.checkpoint, outcome.sub_checkpoint) == ("08", 1)
    assert (outcome.done, outcome.dead_lettered, outcome.failed) == (3, 1, 1)
    # All of the aggregate comes back, so all of it that is done must be known, before its failed record too.
    assert given.done_from(8) == {8: 0b101, 9: 1}
    assert given.done_from(None) == {7: 1, 8: 0b101, 9: 1}
    assert given.done_from(8, (PARKED,)) == {8: 0b001}


def test_what_was_known_already_is_not_written_again() -> None:
    given = progress()
    given.states[:] = bytes([SKIPPED, SKIPPED, DONE, PENDING, SKIPPED])
    assert given.done_from(None) == {8: 0b010}


def test_frozen_states_are_final_whatever_is_written_later() -> None:
    given = progress()
    given.states[0] = DONE
    given.freeze()
    given.states[1] = DONE
    given.freeze()
    assert given.outcome(NOTHING).done == 1
    assert given.done_from(None) == {7: 1}


def test_all_done_is_complete() -> None:
    given = progress()
    given.states[:] = bytes([DONE, SKIPPED, PARKED, DONE, DONE])
    assert given.outcome(NOTHING) == Outcome(kinesis_records=3, records=5, done=3, skipped=1, dead_lettered=1)
    assert given.outcome(NOTHING).complete


def test_leaving_a_record_holds_up_what_order_puts_behind_it() -> None:
    shard, key, none = progress("shard"), progress("partition_key"), progress("none")
    for given in (shard, key, none):
        given.leave(2)
        assert given.states[2] == PENDING
    assert (shard.stopped, key.stopped, none.stopped) == (True, False, False)
    assert (key.blocked, none.blocked) == ({"a"}, set())


def test_time_that_ran_out_stays_run_out() -> None:
    given = progress()
    given.stop(out_of_time=True)
    given.stop()
    assert given.outcome(NOTHING).out_of_time
    other = progress()
    other.leave_for_time(0)
    assert (other.outcome(NOTHING).out_of_time, other.stopped) == (True, False)
