"""The pipeline of the demo, on this machine: stream, ingest API, producer and consumer, and the accidents on the way."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumers.flights import sums
from consumers.flights.chronicle import Reading
from consumers.flights.consumer_process import ConsumerProcess
from consumers.flights.display import Snapshot
from consumers.flights.mishaps import Plan
from consumers.flights.producing import Producing
from kstream.local.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consumers.flights.display import Display
    from consumers.flights.layout import Layout
    from consumers.flights.poison import Poison

STREAM = "flights"
SHARDS = 4
BATCH_SIZE = 1000

# How the consumer is ended on the way, and when, in shares of all records processed.
ACCIDENT = signal.SIGKILL
ACCIDENTS_AT = (0.3, 0.65)

# About how many records fail once, and more often than they are tried in place.
_FAIL_ONCE = 600
_FAIL_LONG = 20

_LOOK_EVERY_S = 0.25
# With nothing moving for so long, something is lost: the checks then say what.
_STALLED_AFTER_S = 60.0
_QUIET_AFTER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the pipeline came to its end. ``trouble``: what should not have happened in it, in words."""

    snapshot: Snapshot
    failures: int
    not_put: Sequence[str]
    troubles: Sequence[str]
    seconds: float


def run_pipeline(
    where: Layout, display: Display, poison: Sequence[Poison], *, flights: int, limit: int | None, archive: Path
) -> Ending:
    """Puts ``flights`` flights and the poison through everything, until all is processed or nothing moves any more."""
    where.plan.write_text(json.dumps(Plan(once=_FAIL_ONCE / flights, long=_FAIL_LONG / flights)._asdict()))
    with ExitStack() as stack:
        pipeline = stack.enter_context(Pipeline([STREAM], shards=SHARDS, port=0, progress=display.say))
        display.say(f"Kinesis at {pipeline.endpoint_url} ({SHARDS} shards), the ingest API at {pipeline.ingest_url}")
        consumer = stack.enter_context(
            ConsumerProcess(where, stream=STREAM, endpoint_url=pipeline.endpoint_url, batch_size=BATCH_SIZE)
        )
        every = max(1, flights // len(poison))
        producing = stack.enter_context(
            Producing(pipeline.ingest_url, STREAM, poison, every=every, limit=limit, archive=archive)
        )
        watching = _Watching(where, producing, consumer, display, total=flights + len(poison))
        return watching.until_the_end()


class _Watching:
    """Looks on, and causes the accidents."""

    def __init__(
        self, where: Layout, producing: Producing, consumer: ConsumerProcess, display: Display, *, total: int
    ) -> None:
        self._where = where
        self._producing = producing
        self._consumer = consumer
        self._display = display
        self._total = total
        self._reading = Reading(where.chronicle)
        self._restarts = 0

    def until_the_end(self) -> Ending:
        began = moved = time.monotonic()
        now = self._look()
        while not self._is_over(now, still_for=time.monotonic() - moved):
            self._display.show(now)
            self._consumer.check()
            if self._accident_is_due(now):
                self._cause_accident(now)
            time.sleep(_LOOK_EVERY_S)
            before, now = now, self._look()
            if (now.put, now.processed) != (before.put, before.processed):
                moved = time.monotonic()
        seconds = time.monotonic() - began
        # What is in its hands it settles first: should it count something twice even now, the checks will see it.
        code = self._consumer.stop()
        now = self._look()
        self._display.show(now)
        troubles = [*self._reading.troubles, *([f"the consumer's exit code was {code}"] if code else [])]
        return Ending(
            snapshot=now,
            failures=self._reading.counts["mishaps"],
            not_put=self._producing.failures,
            troubles=troubles,
            seconds=seconds,
        )

    def _look(self) -> Snapshot:
        self._reading.read()
        counts = self._reading.counts
        parked = sum(1 for _ in self._where.dead_letters.glob("*.json"))
        return Snapshot(
            total=self._total,
            put=self._producing.put,
            # From what the consumer has made durable, not from what it says of itself.
            processed=sums.total(self._where.sums).flights + parked,
            retried=counts["retried"],
            redelivered=counts["redelivered"],
            dead_lettered=parked,
            restarts=self._restarts,
            iterator_age=self._reading.iterator_age,
        )

    def _is_over(self, now: Snapshot, *, still_for: float) -> bool:
        if still_for > _STALLED_AFTER_S:
            self._display.say(f"nothing has moved for {_STALLED_AFTER_S:.0f} s; giving up")
            return True
        # Few records may all be processed between two looks; the accidents happen all the same.
        if not self._producing.done or self._restarts < len(ACCIDENTS_AT):
            return False
        # Who has counted something twice is past the total before the last record comes.
        return now.processed == self._total or (now.processed > self._total and still_for > _QUIET_AFTER_S)

    def _accident_is_due(self, now: Snapshot) -> bool:
        due = sum(now.processed >= share * self._total for share in ACCIDENTS_AT)
        return self._restarts < due

    def _cause_accident(self, now: Snapshot) -> None:
        self._display.say(f"The consumer gets a {ACCIDENT.name} at {now.processed:,} records, and is started again")
        self._consumer.restart(ACCIDENT)
        self._restarts += 1
