"""Redriving a source's items, each once, whatever interrupts it.

For each unit: STARTED into the journal, send, SENT into the journal; then delete the item, DELETED into the journal. So
an interruption leaves one of these:

- before STARTED, or after a refusal: nothing has happened; the next run sends.
- STARTED: it may have taken effect. A destination that can be sent the same again is; for any other the unit is
  *unknown*, and only a person decides.
- SENT: the next run only deletes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import DeadLetterError, ReadError
from kstream.redrive.destination import Refused, Sent, Unknown
from kstream.redrive.item import Unreadable
from kstream.redrive.journal import WHOLE, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kstream.redrive.destination import Destination, Result, Unit, Work
    from kstream.redrive.item import Item
    from kstream.redrive.journal import Entry, Journal
    from kstream.redrive.selection import Selection
    from kstream.redrive.source import Source

WhenUnknown = Literal["leave", "again", "sent"]


class Verdict(StrEnum):
    REDRIVEN = "redriven"
    ALREADY = "already"
    """An earlier run redrove it; now it is deleted as well, where its source can."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    """An earlier run, or this one, may have put it or not. It stays."""
    WOULD = "would"
    """A dry run: it would be redriven."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an item, and how or why."""

    item: Item
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """``limit``: so many items at most, not counting those that an earlier run redrove. ``unknown``: what to do with a
    unit that may have been put. ``accept_gone``: an item is done although records that it names are not there any more.
    """

    limit: int | None = None
    dry_run: bool = False
    unknown: WhenUnknown = "leave"
    accept_gone: bool = False


class Redriving:
    """Use from one thread, and for one source from one process at a time.

    ``broken_off``: the run ended early, because what became of a put is not known: the next ones would fare no better.
    """

    def __init__(self, source: Source, destination: Destination, journal: Journal, wishes: Wishes) -> None:
        self._source = source
        self._destination = destination
        self._journal = journal
        self._wishes = wishes
        self.broken_off = False

    def run(self, selection: Selection, *, stopped: Callable[[], bool] = lambda: False) -> Iterator[Report]:
        """A report for each selected item, as it is done. ``stopped`` is asked between items.

        Raises ``DeadLetterError`` if the source cannot be read any further, ``KstreamError`` for the journal.
        """
        left = self._wishes.limit
        for item in self._source.items():
            if stopped() or left == 0:
                return
            if not selection.takes(item):
                continue
            report = self._one(item)
            if left is not None and report.verdict is not Verdict.ALREADY:
                left -= 1
            yield report
            if self.broken_off:
                return

    def _one(self, item: Item) -> Report:
        if isinstance(item.content, Unreadable):
            return Report(item, Verdict.FAILED, item.content.reason)
        entries = self._journal.entries(self._source.name, item)
        whole = entries.get(WHOLE)
        if whole is not None:
            detail = f"to {whole.destination}: {whole.detail}"
            if self._wishes.dry_run:
                return Report(item, Verdict.ALREADY, detail)
            return self._finish(item, Verdict.ALREADY, whole.destination, whole.detail, detail)
        objection = self._destination.objection(item.content) if isinstance(item.content, DeadLetter) else None
        if objection is not None:
            return Report(item, Verdict.FAILED, objection)
        if self._wishes.dry_run:
            unknown = next((entry for entry in entries.values() if _is_unknown(entry)), None)
            if unknown is not None and self._wishes.unknown == "leave":
                return Report(item, Verdict.UNKNOWN, _unknown(unknown))
            return Report(item, Verdict.WOULD, f"to {self._destination.name}")
        try:
            work = self._work(item)
        except ReadError as error:
            return Report(item, Verdict.FAILED, str(error))
        return self._send(item, work, entries)

    def _work(self, item: Item) -> Work:
        if isinstance(item.content, DeadLetter):
            return self._destination.letter(item.content)
        assert not isinstance(item.content, Unreadable)
        return self._destination.message(item.content)

    def _send(self, item: Item, work: Work, entries: dict[str, Entry]) -> Report:
        unknown, failed, details = [], [], []
        for unit in work.units:
            if self.broken_off:
                break
            entry = entries.get(unit.name)
            if entry is not None and entry.state is State.SENT:
                details.append(entry.detail)
            elif entry is not None and _is_unknown(entry) and self._wishes.unknown != "again":
                if self._wishes.unknown == "leave":
                    unknown.append(_unknown(entry))
                else:
                    self._journal.sent(self._source.name, item, unit.name, entry.destination, "taken for put")
                    details.append("taken for put")
            else:
                match self._send_unit(item, unit):
                    case Sent(detail):
                        details.append(detail)
                    case Refused(reason):
                        failed.append(reason)
                    case Unknown(reason):
                        self.broken_off = True
                        unknown.append(f"whether it was put is not known: {reason}")
        if work.gone and not self._wishes.accept_gone:
            failed.append(
                f"{work.gone} of the Kinesis records that it names are gone from the stream; "
                "with --accept-gone it counts as done without them"
            )
        count = len(work.units)
        if failed:
            return Report(item, Verdict.FAILED, _first_of(failed, count))
        if unknown:
            return Report(item, Verdict.UNKNOWN, _first_of(unknown, count))
        detail = _first_of(details, count) if details else "nothing was left of it"
        self._journal.sent(self._source.name, item, WHOLE, self._destination.name, detail)
        return self._finish(item, Verdict.REDRIVEN, self._destination.name, detail, detail)

    def _send_unit(self, item: Item, unit: Unit) -> Result:
        source, destination = self._source.name, self._destination
        self._journal.start(source, item, unit.name, destination.name, doubtful=destination.doubtful)
        result = unit.send()
        if isinstance(result, Sent):
            self._journal.sent(source, item, unit.name, destination.name, result.detail)
        elif isinstance(result, Refused):
            self._journal.withdraw(source, item, unit.name)
        return result

    def _finish(self, item: Item, verdict: Verdict, destination: str, done: str, told: str) -> Report:
        """Deletes what has been sent."""
        if self._source.can_delete:
            try:
                if not self._source.delete(item):
                    told += "; a later letter of the same record stays"
            except DeadLetterError as error:
                told = f"it was redriven ({told}), and the next run will only delete it: {error}"
                return Report(item, Verdict.FAILED, told)
        self._journal.deleted(self._source.name, item, destination, done)
        return Report(item, verdict, told)


def _is_unknown(entry: Entry) -> bool:
    return entry.state is State.STARTED and entry.doubtful


def _unknown(entry: Entry) -> str:
    when = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="seconds")
    return (
        f"it was being put into {entry.destination} at {when} when that was interrupted: look whether it is there, then "
        "give --unknown again or --unknown sent"
    )


def _first_of(words: list[str], units: int) -> str:
    return words[0] if len(words) == 1 and units <= 1 else f"{words[0]} ({len(words)} of {units} records)"
