"""One batch's way to its ledger: exact, and never the reason that a batch fails."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.incidents import Incidents
from kstream.core.journal import Journal
from kstream.core.ports import Scope
from kstream.core.record import Position
from kstream.core.shielded import Shielded
from tests.support.processing import NotedLedger, Telling, aggregate_of, batch, entry, places_in

if TYPE_CHECKING:
    from kstream.core.batch import Batch

SCOPE = Scope("consumer", "arn", "shard")


def journal(ledger: NotedLedger, save_every: int | None = None, told: Telling | None = None) -> Journal:
    return Journal(ledger, SCOPE, Incidents(Shielded([told or Telling()])), save_every=save_every)


def note(writer: Journal, given: Batch, index: int, key: str | None = None) -> None:
    """As who settles a record does: told at once, written when it is due."""
    writer.note(given.records[index].position, key)
    writer.write()


def test_it_reads_from_the_lowest_to_the_highest_by_value() -> None:
    ledger = NotedLedger({(9, 0), (10, 0), (11, 0)})
    assert journal(ledger).load(batch(entry("9"), entry("10"))) == {9: 1, 10: 1}
    assert journal(ledger).load(batch(entry("10"), entry("9"))) == {9: 1, 10: 1}
    assert ledger.loads == [(SCOPE, 9, 10)] * 2


def test_notes_are_saved_together_as_bitmaps() -> None:
    ledger = NotedLedger()
    given = batch(entry(1, aggregate_of(*[("k", b"")] * 70)), entry(2))
    writer = journal(ledger, save_every=3)
    for index in (0, 69):
        note(writer, given, index)
    assert ledger.saves == []
    note(writer, given, 70)
    assert ledger.saves == [{1: 1 | 1 << 69, 2: 1}]
    note(writer, given, 1)
    assert len(ledger.saves) == 1


def test_notes_without_a_bound_are_kept_back() -> None:
    ledger = NotedLedger()
    writer = journal(ledger)
    assert not writer.writes_along
    note(writer, batch(entry(1)), 0)
    assert ledger.saves == []


def test_nothing_is_written_for_nothing() -> None:
    ledger = NotedLedger()
    journal(ledger).save({})
    journal(ledger).save({1: 0})
    assert journal(ledger).load_keys(()) == ()
    assert (ledger.saves, ledger.key_saves) == ([], [])


def test_keys_go_with_the_next_save_and_once() -> None:
    ledger = NotedLedger()
    writer = journal(ledger)
    for key in "xxy":
        writer.note(Position(1), key)
    writer.save({})
    writer.save({1: 1})
    assert (ledger.key_saves, ledger.saves) == ([{"x", "y"}], [{1: 1}])


def test_what_is_saved_is_not_saved_again_and_what_could_not_be_is() -> None:
    """In full mode the last write of an unfinished batch, near its deadline, has only what the ones before missed."""
    ledger, given = NotedLedger(), batch(entry(1, aggregate_of(("k", b""), ("k", b""))), entry(2))
    writer = journal(ledger, save_every=1)
    note(writer, given, 0)
    ledger.broken = ("save",)
    note(writer, given, 2)
    ledger.broken = ()
    writer.save({1: 0b11, 2: 1})
    writer.save({1: 0b11, 2: 1})
    assert ledger.saves == [{1: 0b01}, {2: 1}, {1: 0b10, 2: 1}]


@pytest.mark.parametrize("save_every", [1, 7, 64])
def test_notes_from_many_threads_are_neither_lost_nor_doubled(save_every: int) -> None:
    ledger = NotedLedger()
    given = batch(*(entry(number, aggregate_of(*[("k", b"")] * 64)) for number in range(4)))
    writer = journal(ledger, save_every=save_every)
    together = threading.Barrier(4)

    def work(start: int) -> None:
        together.wait(60)
        for index in range(start, 256, 4):  # every thread in every aggregate
            note(writer, given, index)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [place for saved in ledger.saves for place in places_in(saved)]
    assert len(written) == len(set(written)) > 256 - save_every
    assert all(len(places_in(saved)) >= save_every for saved in ledger.saves)


def test_a_ledger_that_fails_is_told_and_nothing_more() -> None:
    told = Telling()
    ledger = NotedLedger({(1, 0)}, broken=("load", "save"))
    failing = journal(ledger, save_every=1, told=told)
    assert failing.load(batch(entry(1))) == {}
    note(failing, batch(entry(1)), 0)
    failing.save({1: 1})
    assert len(told.ledger) == 3


def test_after_a_write_that_failed_no_more_is_written_before_the_end() -> None:
    """A ledger that hangs would cost each record half of the time that is left."""
    ledger, told = NotedLedger(broken=("save",)), Telling()
    given = batch(*(entry(number) for number in range(5)))
    writer = journal(ledger, save_every=1, told=told)
    for index in range(5):
        note(writer, given, index, str(index))
    assert (len(told.ledger), ledger.saves) == (1, [{0: 1}])
    ledger.broken = ()
    writer.save({})
    assert (ledger.keys, ledger.places) == (set("01234"), {(number, 0) for number in range(5)})
    assert len(ledger.saves) == 2
    note(writer, given, 0, "late")
    assert "late" in ledger.keys, "what ends after the end is written along again"


def test_where_the_keys_cannot_be_written_along_their_positions_wait_with_them() -> None:
    ledger, given = NotedLedger(broken=("save_keys",)), batch(entry(1))
    writer = journal(ledger, save_every=1)
    note(writer, given, 0, "x")
    assert ledger.saves == []
    ledger.broken = ()
    writer.save({})
    assert (ledger.keys, ledger.places) == ({"x"}, {(1, 0)})


def test_the_end_does_not_rely_on_a_write_that_is_still_under_way() -> None:
    """It may fail yet, or be frozen with its process, after the batch was answered as done."""
    begun, go_on = threading.Event(), threading.Event()

    class Hangs(NotedLedger):
        def save_keys(self, scope: Any, keys: Any) -> None:
            if threading.current_thread() is not threading.main_thread():
                begun.set()
                assert go_on.wait(60)
            super().save_keys(scope, keys)

    ledger, given = Hangs(), batch(entry(1), entry(2))
    writer = journal(ledger, save_every=1)
    thread = threading.Thread(target=note, args=(writer, given, 0, "x"))
    thread.start()
    assert begun.wait(60)
    note(writer, given, 1, "y")
    assert ledger.key_saves == [{"y"}]
    writer.save({})
    assert (ledger.keys, ledger.places) == ({"x", "y"}, {(1, 0), (2, 0)})
    go_on.set()
    thread.join()


def test_a_note_that_no_one_came_to_write_is_written_at_the_end_if_it_was_due() -> None:
    ledger, given = NotedLedger(), batch(entry(1), entry(2), entry(3))
    writer = journal(ledger, save_every=2)
    for index in range(2):
        writer.note(given.records[index].position)
    assert writer.due
    writer.save({})
    assert ledger.places == {(1, 0), (2, 0)}
    other = journal(ledger, save_every=2)
    other.note(given.records[2].position)
    other.save({})
    assert len(ledger.saves) == 1, "the checkpoint tells the rest"
