"""One batch's way to its ledger: exact, and never the reason that a batch fails."""

from __future__ import annotations

import threading

import pytest

from kstream.core.incidents import Incidents
from kstream.core.journal import Journal
from kstream.core.ports import Scope
from kstream.core.shielded import Shielded
from tests.support.processing import NotedLedger, Telling, aggregate_of, batch, entry, places_in

SCOPE = Scope("consumer", "arn", "shard")


def journal(ledger: NotedLedger, save_every: int | None = None, told: Telling | None = None) -> Journal:
    return Journal(ledger, SCOPE, Incidents(Shielded([told or Telling()])), save_every=save_every)


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
        writer.note(given, index)
    assert ledger.saves == []
    writer.note(given, 70)
    assert ledger.saves == [{1: 1 | 1 << 69, 2: 1}]
    writer.note(given, 1)
    assert len(ledger.saves) == 1


def test_notes_without_a_bound_are_kept_back() -> None:
    ledger = NotedLedger()
    writer = journal(ledger)
    assert not writer.writes_along
    writer.note(batch(entry(1)), 0)
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
    writer.note_key("x")
    writer.note_key("x")
    writer.note_key("y")
    writer.save({})
    writer.save({1: 1})
    assert (ledger.key_saves, ledger.saves) == ([{"x", "y"}], [{1: 1}])


def test_what_is_saved_is_not_saved_again_and_what_could_not_be_is() -> None:
    """In full mode the last write of an unfinished batch, near its deadline, has only what the ones before missed."""
    ledger, given = NotedLedger(), batch(entry(1, aggregate_of(("k", b""), ("k", b""))), entry(2))
    writer = journal(ledger, save_every=1)
    writer.note(given, 0)
    ledger.broken = ("save",)
    writer.note(given, 2)
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
            writer.note(given, index)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = [place for saved in ledger.saves for place in places_in(saved)]
    assert len(written) == len(set(written)) == 256 - 256 % save_every
    assert all(len(places_in(saved)) == save_every for saved in ledger.saves)


def test_a_ledger_that_fails_is_told_and_nothing_more() -> None:
    told = Telling()
    ledger = NotedLedger({(1, 0)}, broken=("load", "save"))
    failing = journal(ledger, save_every=1, told=told)
    assert failing.load(batch(entry(1))) == {}
    failing.note(batch(entry(1)), 0)
    failing.save({1: 1})
    assert len(told.ledger) == 3
