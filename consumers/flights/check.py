"""The judgement: what the pipeline came to, held against what the data set and the poison say it must come to."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from consumers.flights.sums import Tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consumers.flights.poison import Poison
    from consumers.flights.sums import CarrierDay
    from kstream import DeadLetter

_SHOWN = 3


class Check(NamedTuple):
    """``claim`` is what must hold; ``detail`` the numbers behind it, or what differs."""

    claim: str
    holds: bool
    detail: str


def check_put(put: int, given: int, failures: Sequence[str]) -> Check:
    """Every record given to the ingest API is in the stream."""
    detail = f"{put:,} of {given:,}"
    if failures:
        detail += f"; {_first(failures)}"
    return Check("every record was put", put == given and not failures, detail)


def check_sums(expected: Mapping[CarrierDay, Tally], found: Mapping[CarrierDay, Tally]) -> tuple[Check, Check, Check]:
    """The sums are those of the data set; none is too small, so nothing is missing; none too large: nothing is twice."""
    differing = [key for key in sorted(expected.keys() | found.keys()) if expected.get(key) != found.get(key)]
    missing = twice = 0
    for key in differing:
        surplus = found.get(key, Tally()).flights - expected.get(key, Tally()).flights
        missing += max(0, -surplus)
        twice += max(0, surplus)
    told = _first([_difference(key, expected.get(key), found.get(key)) for key in differing])
    equal = f"{len(expected):,} sums of {sum(tally.flights for tally in expected.values()):,} flights"
    return (
        Check("the sums equal the data set's, for each carrier and day", not differing, told or equal),
        Check("nothing is missing", not missing, f"{missing:,} flights missing"),
        Check("nothing is counted twice", not twice, f"{twice:,} flights too many"),
    )


def check_dead_letters(poison: Iterable[Poison], letters: Iterable[DeadLetter]) -> Check:
    """Each poison record is in the dead letters once, with its reason; nobody else is."""
    reasons = {one.payload: one.reason for one in poison}
    letters = tuple(letters)
    found = Counter(letter.record.data for letter in letters)
    wrong = [f"{payload[:60]!r} is not in the dead letters" for payload in reasons if payload not in found]
    wrong += [f"{payload[:60]!r} is there {count} times" for payload, count in found.items() if count > 1]
    for letter in letters:
        reason = reasons.get(letter.record.data)
        if reason is None:
            wrong.append(f"{letter.record!r} should not be there ({letter.reason})")
        elif not letter.reason.startswith(reason):
            wrong.append(f"{letter.record!r} says {letter.reason!r} instead of {reason!r}")
    kinds = ", ".join(f"{count} x {reason}" for reason, count in Counter(reasons.values()).items())
    return Check(
        "the poison records are in the dead letters with their reasons, and nobody else is",
        not wrong,
        _first(wrong) or kinds,
    )


def check_mishaps(*, failures: int, redeliveries: int, restarts: int) -> Check:
    """There was something to withstand: without it, the other checks would prove little."""
    return Check(
        "it went wrong on the way, as planned",
        min(failures, redeliveries, restarts) > 0,
        f"{failures:,} failures of the handler, {redeliveries:,} redeliveries, {restarts} restarts",
    )


def _difference(key: CarrierDay, expected: Tally | None, found: Tally | None) -> str:
    return f"{key.carrier} on {key.day}: {_words(found)} instead of {_words(expected)}"


def _words(tally: Tally | None) -> str:
    if tally is None:
        return "nothing"
    return f"{tally.flights} flights, {tally.departures} departures, {tally.delay_minutes} min"


def _first(texts: Sequence[str]) -> str:
    shown = "; ".join(islice(texts, _SHOWN))
    return f"{shown}; and {len(texts) - _SHOWN:,} more" if len(texts) > _SHOWN else shown
