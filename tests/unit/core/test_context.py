"""What is in hand: each thread and each task knows its own record, and nothing is left over after the batch."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from kstream.core.consumer import Consumer
from kstream.core.context import current_attempt, current_batch, current_record, follow_records
from kstream.core.errors import LedgerError
from kstream.core.handler import Handler, TransactionalHandler
from kstream.core.retry import Retry
from kstream.stores.sqlite import SQLiteLedger
from kstream.testing import SimulatedTransactions
from tests.support.processing import (
    SHARD_ID,
    WAYS,
    Script,
    Telling,
    batch,
    entry,
    place_of,
    processor_of,
    run_script,
)

if TYPE_CHECKING:
    from pathlib import Path

    from kstream import SQLTransaction
    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext
    from tests.support.processing import (
        Way,
    )


@pytest.fixture(autouse=True)
def _followed() -> None:
    follow_records()


@pytest.mark.parametrize("way", WAYS)
def test_each_attempt_sees_its_own_record_and_number_and_the_batch(way: Way) -> None:
    seen: list[tuple[bool, int, str]] = []

    def look(record: Record) -> None:
        held, given = current_record(), current_batch.get()
        assert given is not None
        seen.append((held is record, current_attempt.get(), given.scope.shard_id))

    script = Script(failing={(2, 0): 2}, before=look)
    outcome = run_script(
        way, script, batch(*(entry(number, key=str(number)) for number in range(6))), ordering="partition_key",
        retry=Retry(attempts=3, base=0),
    )  # fmt: skip
    assert outcome.complete
    assert all(same and shard == SHARD_ID for same, _, shard in seen)
    assert sorted(attempt for _, attempt, _ in seen) == [1, 1, 1, 1, 1, 1, 2, 3]
    assert (current_batch.get(), current_record(), current_attempt.get()) == (None, None, 1)


def test_a_task_that_a_handler_starts_keeps_the_record_it_was_started_for() -> None:
    seen: list[bool] = []
    tasks: list[asyncio.Task[None]] = []

    async def look(record: Record) -> None:
        await asyncio.sleep(0)
        seen.append(current_record() is record)

    class Forks(Handler):
        async def process(self, record: Record) -> None:
            tasks.append(asyncio.ensure_future(look(record)))
            if record.sequence_number == "9":
                await asyncio.gather(*tasks)

    processor = processor_of(Consumer(Forks()))
    processor.process(batch(*(entry(number) for number in range(10))))
    processor.close()
    assert seen == [True] * 10


def test_a_transaction_s_records_are_followed_too(tmp_path: Path) -> None:
    seen: list[bool] = []

    class Adds(TransactionalHandler["SQLTransaction"]):
        def process(self, record: Record, transaction: SQLTransaction) -> None:
            seen.append(current_record() is record)

    processor = processor_of(Consumer(Adds(), ledger=SQLiteLedger(tmp_path / "ledger.sqlite")))
    processor.process(batch(entry(1), entry(2)))
    processor.close()
    assert seen == [True, True]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_said_of_the_batch_is_said_of_no_record(way: Way) -> None:
    """Neither the last one's identity nor its attempt stays behind, also where the batch is broken off."""
    said: list[tuple[object, int]] = []

    class Says(Telling):
        def batch_finished(self, outcome: Outcome) -> None:
            said.append((current_record(), current_attempt.get()))

    def breaks(record: Record) -> None:
        if current_attempt.get() == 2:
            raise SystemExit

    for before in (breaks, lambda record: None):
        script = Script(failing={(1, 0): 1}, before=before)
        with suppress(SystemExit):
            run_script(way, script, batch(entry(0), entry(1)), told=Says(), retry=Retry(base=0))
    assert said == [(None, 1), (None, 1)]


def test_a_ledger_s_failure_is_of_no_record_that_was_applied() -> None:
    said: list[object] = []

    class Says(Telling):
        def ledger_failed(self, error: Exception) -> None:
            said.append(current_record())

    class Adds(TransactionalHandler[Any]):
        def process(self, record: Record, transaction: Any) -> None: ...

    transactions = SimulatedTransactions()
    ledger = Mock(wraps=transactions, group_limit=10)
    ledger.begin.return_value = Mock(apply=Mock(return_value=True), commit=Mock(side_effect=LedgerError("down")))
    processor = processor_of(Consumer(Adds(), ledger=ledger), telemetry=Says())
    assert processor.process(batch(entry(1), entry(2))).unfinished == 2
    assert said == [None]


def test_each_batch_has_a_context_of_its_own_also_in_an_event_loop_that_is_kept() -> None:
    ids: list[str] = []

    class Notes(Handler):
        async def process(self, record: Record) -> None:
            given = current_batch.get()
            assert given is not None
            ids.append(given.request_id)

    class Starts(Telling):
        def batch_started(self, context: BatchContext) -> None:
            assert context.started_at == 0.0
            assert [place_of(record) for record in context.batch.records]

    processor = processor_of(Consumer(Notes()), telemetry=Starts())
    processor.process(batch(entry(1)), request_id="first")
    processor.process(batch(entry(2)), request_id="second")
    processor.close()
    assert ids == ["first", "second"]
