"""``kstream dead-letters redrive`` at work."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from random import uniform
from typing import TYPE_CHECKING

from kstream.cli.dead_letters_view import RedriveView
from kstream.cli.dead_letters_where import held_open
from kstream.cli.failures import INTERRUPTED
from kstream.clock import SystemClock
from kstream.local.locks import held
from kstream.local.stop_signals import StopSignals
from kstream.redrive.journal import Journal
from kstream.redrive.named_records import NamedRecords
from kstream.redrive.redriving import Redriving, Verdict
from kstream.redrive.selection import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.cli.dead_letters_where import Where
    from kstream.cli.output import Output
    from kstream.cli.standard_output import Reader
    from kstream.core.consumer import Consumer
    from kstream.redrive.destination import Destination
    from kstream.redrive.redriving import Report, Wishes
    from kstream.redrive.selection import Selection
    from kstream.redrive.source import Source


@dataclass(frozen=True, slots=True)
class Destined:
    """Where to: the path of a consumer (under another ``name``, and whosoever's letters), or the name of a stream."""

    consumer: str | None
    stream: str | None
    name: str | None = None
    any_consumer: bool = False


@dataclass(slots=True)
class Summary:
    """How many of each verdict, and the keys that were asked for and not found."""

    counts: Counter[Verdict] = field(default_factory=Counter)
    found: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    interrupted: bool = False
    broken_off: bool = False

    def add(self, report: Report) -> None:
        self.counts[report.verdict] += 1
        self.found |= names_of(report.item)

    @property
    def not_redriven(self) -> int:
        return self.counts[Verdict.FAILED] + self.counts[Verdict.UNKNOWN] + len(self.missing)


def redrive_items(
    where: Where,
    named: str | None,
    destined: Destined,
    selection: Selection,
    wishes: Wishes,
    output: Output,
    reader: Reader,
) -> Summary:
    """Ends behind the item in hand once the ``reader`` is gone.

    Raises ``KstreamError`` if a source, the journal or the destination cannot be used at all.
    """
    summary = Summary()
    busy = f"a redrive runs in {where.state_dir.path} already (process {{pid}}): wait for its end"
    with ExitStack() as stack:
        sources = [stack.enter_context(held_open(source)) for source in where.sources(named)]
        stack.enter_context(held(where.lock, busy))
        journal = stack.enter_context(Journal(where.journal, SystemClock()))
        destination = stack.enter_context(_destination(where, destined))
        view = stack.enter_context(RedriveView(output, destination.name, _count(sources), dry_run=wishes.dry_run))
        signals = stack.enter_context(StopSignals())
        signals.arm(again=lambda: os._exit(INTERRUPTED))
        limit = wishes.limit
        for source in sources:
            redriving = Redriving(source, destination, journal, replace(wishes, limit=limit))
            for report in redriving.run(selection, stopped=lambda: signals.stopping.is_set() or reader.gone):
                summary.add(report)
                view.add(report)
                if limit is not None and report.verdict is not Verdict.ALREADY:
                    limit -= 1
            if redriving.broken_off or reader.gone:
                summary.broken_off = True
                break
        summary.interrupted = signals.stopping.is_set()
        if not (summary.interrupted or summary.broken_off or limit == 0):
            summary.missing = sorted(selection.keys - summary.found)
    ended = "interrupted" if summary.interrupted else "broken off" if summary.broken_off else ""
    view.tell(summary.counts, summary.missing, ended)
    return summary


def _count(sources: list[Source]) -> int | None:
    counts = [source.count() for source in sources]
    return None if None in counts else sum(count or 0 for count in counts)


@contextmanager
def _destination(where: Where, destined: Destined) -> Iterator[Destination]:
    clock = SystemClock()
    fetch = NamedRecords(endpoint_url=where.endpoint_url, clock=clock)
    if destined.stream is not None:
        yield _stream(where, destined.stream, fetch)
        return
    from kstream.redrive.consumer_destination import ConsumerDestination

    with ExitStack() as stack:
        consumer = _consumer(where, destined, stack)
        destination = ConsumerDestination(
            consumer, fetch, clock=clock, uniform=uniform, any_consumer=destined.any_consumer
        )
        stack.callback(destination.close)
        yield destination


def _stream(where: Where, stream: str, fetch: NamedRecords) -> Destination:
    from kstream.aws.clients import client
    from kstream.aws.record_put import RecordPut
    from kstream.aws.shards import KinesisReader
    from kstream.redrive.stream_destination import StreamDestination

    # Found out now, and not by every letter in turn.
    KinesisReader(client("kinesis", endpoint_url=where.endpoint_url, region=where.region)).describe(stream)
    put = RecordPut(endpoint_url=where.endpoint_url, region=where.region)
    return StreamDestination(stream, put, fetch, clock=SystemClock())


def _consumer(where: Where, destined: Destined, stack: ExitStack) -> Consumer:
    """The consumer, completed as ``kstream consume`` completes it: the same ledger, the same dead letters."""
    from kstream.local.loading import load
    from kstream.local.target import target_of
    from kstream.runtimes.defaults import with_defaults
    from kstream.settings import Settings
    from kstream.stores.sqlite import SQLiteLedger

    assert destined.consumer is not None
    consumer = load(target_of(destined.consumer)).consumer
    if destined.name:
        consumer = replace(consumer, name=destined.name)
    settings, state = Settings.from_environment(), where.state_dir
    if settings.ledger is None:
        settings = settings._replace(ledger=f"sqlite:{state.ledger}")
    if settings.dead_letters is None:
        settings = settings._replace(dead_letters=f"dir:{state.dead_letters(consumer.name)}")
    consumer = with_defaults(consumer, settings)
    if isinstance(consumer.ledger, SQLiteLedger):
        stack.callback(consumer.ledger.close)
    return consumer
