"""The log: the first failures in full, the others counted, and never a payload."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import LedgerError, Reject
from kstream.core.handler import BatchHandler, Handler
from kstream.core.outcome import Outcome
from kstream.core.ports import Scope
from kstream.core.record import Record
from kstream.core.retry import Retry
from kstream.core.telemetry import BatchContext
from kstream.runtimes.aws_lambda import on_lambda
from kstream.telemetry.logs import KINDS_PER_BATCH, TOLD_PER_BATCH, Logs
from tests.support.processing import (
    SHARD_ID,
    STREAM_ARN,
    WAYS,
    Letters,
    NotedLedger,
    Script,
    batch,
    entry,
    event,
    handler_for,
    processor_of,
    workers_for,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MANY = 10_000
RECORD = Record(b"secret payload", partition_key="secret key", sequence_number="7", shard_id="shardId-1")


class Fails(Handler):
    def process(self, record: Record) -> None:
        raise (Reject if int(record.sequence_number) % 4 else OSError)("no")


def logged(caplog: pytest.LogCaptureFixture, **policies: Any) -> list[str]:
    caplog.clear()
    consumer = Consumer(Fails, ordering="none", retry=Retry(attempts=1), **policies)
    on_lambda(consumer)(event(*(entry(number) for number in range(MANY))))
    return caplog.messages


@pytest.mark.parametrize(
    ("policies", "kinds"),
    [
        ({}, {"7500 record(s) failed with Reject", "2497 record(s) failed with OSError"}),
        ({"dead_letters": Letters()}, {"record(s) dead-lettered with Reject", "record(s) failed with OSError"}),
        ({"dead_letters": Letters(lambda letter: True)}, {"7497 record(s) that could not be dead-lettered"}),
        (
            {"dead_letters": Letters(), "ledger": NotedLedger(broken=("save",)), "mode": "full"},
            {"record(s) dead-lettered with Reject"},
        ),
    ],
    ids=["failures", "letters", "sink refuses", "ledger fails"],
)
def test_a_batch_in_which_everything_fails_writes_a_handful_of_lines(
    policies: dict[str, Any], kinds: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    lines = logged(caplog, **policies)
    assert len(lines) <= 3 * TOLD_PER_BATCH + 2
    assert sum(record.exc_info is not None and record.exc_info[0] is not None for record in caplog.records) <= 3
    [counts] = [line for line in lines if line.startswith("and in the same batch")]
    told = {kind for kind in kinds if kind in counts}
    assert told == kinds - {"7500 record(s) failed with Reject", "2497 record(s) failed with OSError"} or not policies
    assert lines[-1].startswith("batch unfinished at 0: ")


def test_every_failure_is_either_told_or_counted(caplog: pytest.LogCaptureFixture) -> None:
    lines = logged(caplog)
    told = [line for line in lines if line.startswith("record ")]
    [counts] = [line for line in lines if line.startswith("and in the same batch")]
    counted = [int(part.split()[0]) for part in counts.removeprefix("and in the same batch ").split(", ")]
    assert len(told) == TOLD_PER_BATCH
    assert len(told) + sum(counted) == MANY


def test_each_batch_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Logs()
    for _ in range(2):
        caplog.clear()
        for _ in range(TOLD_PER_BATCH + 2):
            telemetry.record_failed(RECORD, OSError("down"), attempt=3, parked=False)
        telemetry.batch_finished(Outcome())
        assert len(caplog.messages) == TOLD_PER_BATCH + 1
        assert caplog.messages[-1] == "and in the same batch 2 record(s) failed with OSError"


def test_a_failure_is_told_with_place_attempts_and_traceback_and_without_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    telemetry = Logs()
    telemetry.record_failed(RECORD, OSError("down"), attempt=3, parked=False)
    telemetry.record_failed(RECORD, Reject("negative"), attempt=1, parked=True)
    telemetry.dead_letter_failed(RECORD, OSError("full"))
    telemetry.ledger_failed(LedgerError("locked"))
    assert caplog.messages == [
        "record 7:0 of shardId-1 failed after 3 attempt(s): OSError: down",
        "record 7:0 of shardId-1 went to the dead letters after 1 attempt(s): Reject: negative",
        "record 7:0 of shardId-1 could not be dead-lettered and will be delivered again: full",
        "the ledger failed, so some records may come back, and without a transaction be processed again: locked",
    ]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2 + [logging.ERROR, logging.WARNING]
    assert "secret" not in caplog.text
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False, False]
    caplog.clear()
    telemetry = Logs()
    for _ in range(TOLD_PER_BATCH + 1):
        telemetry.record_failed(RECORD, OSError("down"), attempt=3, parked=True)
    assert [bool(record.exc_info) for record in caplog.records] == [True] * TOLD_PER_BATCH


def test_a_batch_that_is_done_says_nothing_and_one_that_is_not_says_where(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Logs()
    telemetry.batch_finished(Outcome(records=3, done=3))
    assert caplog.messages == []
    telemetry.batch_finished(
        Outcome(checkpoint="9", records=6, done=1, skipped=1, dead_lettered=1, failed=1, unfinished=2, out_of_time=True)
    )
    [line] = caplog.messages
    assert line == (
        "batch unfinished at 9: 3 done, 1 failed, 2 unfinished, out of time: give the function a longer timeout, or its "
        "event source mapping smaller batches"
    )


def test_a_logger_can_be_given(caplog: pytest.LogCaptureFixture) -> None:
    Logs(logging.getLogger("mine")).ledger_failed(LedgerError("locked"))
    assert caplog.records[0].name == "mine"


# --- What the lines carry beside their text ---------------------------------------------------------------------------


def fields_of(line: logging.LogRecord, *names: str) -> tuple[Any, ...]:
    return tuple(vars(line).get(name) for name in names)


STARTED = BatchContext(Scope("totals", STREAM_ARN, SHARD_ID), batch(entry(7)), "request-1", 0.0)


@pytest.mark.parametrize("way", [*WAYS, "batch"])
def test_a_failure_s_facts_are_fields_in_every_way_of_running(way: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Also where no record is in hand by itself: nothing needs to be followed for it."""

    class Fail(BatchHandler):
        def process(self, records: Sequence[Record]) -> Sequence[Record]:
            return [record for record in records if record.sequence_number == "2"]

    handler = Fail() if way == "batch" else handler_for(way, Script({(2, 0): 9}))
    workers = 1 if way == "batch" else workers_for(way)
    consumer = Consumer(
        handler, name="totals", ordering="none", max_workers=workers, retry=Retry(attempts=2, base=0.001)
    )
    processor = processor_of(consumer, telemetry=Logs())
    processor.process(batch(entry(1), entry(2, key="k")), request_id="request-1")
    processor.close()
    failed, unfinished = caplog.records
    error = "RecordFailed" if way == "batch" else "Transient"
    assert fields_of(failed, "consumer", "stream", "shard", "request_id") == ("totals", "orders", SHARD_ID, "request-1")
    assert fields_of(failed, "sequence_number", "sub_sequence_number", "partition_key", "attempt") == ("2", 0, "k", 2)
    assert fields_of(failed, "outcome", "error_type") == ("failed", error)
    assert fields_of(unfinished, "outcome", "sequence_number", "shard") == ("unfinished", "2", SHARD_ID)
    assert fields_of(unfinished, "batch") == (
        {"records": 2, "done": 1, "skipped": 0, "dead_lettered": 0, "failed": 1, "unfinished": 0, "retried": 1},
    )


def test_every_sort_of_line_says_what_it_is_of(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Logs()
    telemetry.batch_started(STARTED)
    telemetry.record_failed(RECORD, Reject("negative"), attempt=1, parked=True)
    telemetry.dead_letter_failed(RECORD, OSError("full"))
    telemetry.ledger_failed(LedgerError("locked"))
    telemetry.batch_interrupted(Outcome(records=2, done=1), SystemExit(3))
    assert [fields_of(line, "outcome", "error_type", "request_id") for line in caplog.records] == [
        ("dead_lettered", "Reject", "request-1"),
        ("dead_letter_failed", "OSError", "request-1"),
        ("ledger_failed", "LedgerError", "request-1"),
        ("interrupted", "SystemExit", "request-1"),
    ]


def test_an_interrupted_batch_says_so_and_tells_its_counts(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Logs()
    for _ in range(TOLD_PER_BATCH + 1):
        telemetry.record_failed(RECORD, OSError("down"), attempt=1, parked=False)
    telemetry.batch_interrupted(Outcome(checkpoint="7", records=9, done=4), KeyboardInterrupt())
    assert caplog.messages[-2:] == [
        "and in the same batch 1 record(s) failed with OSError",
        "batch interrupted after 4 of 9 record(s), all of it comes back: KeyboardInterrupt: ",
    ]
    assert caplog.records[-1].levelno == logging.ERROR


def test_the_last_words_name_the_record_the_place_and_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    """From another thread, whose own context knows nothing."""
    stuck, told = threading.Event(), threading.Event()

    class Stuck(Handler):
        def process(self, record: Record) -> None:
            if record.sequence_number == "8":
                stuck.set()
                assert told.wait(60)

    processor = processor_of(Consumer(Stuck, name="totals"), telemetry=Logs())
    given = batch(entry(7), entry(8), entry(9))
    job = threading.Thread(target=processor.process, args=(given,), kwargs={"request_id": "request-1"})
    job.start()
    assert stuck.wait(60)
    processor.deadline_passed()
    told.set()
    job.join()
    [line] = caplog.records
    assert line.levelno == logging.ERROR
    assert caplog.messages[0].startswith(
        f"the deadline has passed: record 8:0 of {SHARD_ID} is not done (1 of 3 done), in process (test_logs.py:"
    )
    assert "give the function a longer timeout, or its event source mapping smaller batches" in caplog.messages[0]
    assert caplog.messages[0].endswith("; request request-1")
    assert fields_of(line, "outcome", "consumer", "shard") == ("deadline_passed", "totals", SHARD_ID)
    assert fields_of(line, "sequence_number", "sub_sequence_number", "request_id") == ("8", 0, "request-1")
    [stack] = fields_of(line, "stack")
    assert "in process" in stack
    assert "kstream/core" not in stack


def test_the_last_words_of_a_batch_whose_records_are_done(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Logs()
    telemetry.batch_started(STARTED)
    telemetry.deadline_passed(STARTED, Outcome(records=2, done=2))
    assert caplog.messages[0].startswith(
        "the deadline has passed: every record is settled, but the batch is not over (2 of 2 done). If it"
    )


def test_a_deadline_that_is_told_late_is_of_no_batch_that_is_over(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Logs()
    telemetry.batch_started(STARTED)
    telemetry.batch_finished(Outcome(records=1, done=1))
    telemetry.deadline_passed(STARTED, Outcome(checkpoint="7", records=1, unfinished=1))
    telemetry.batch_started(replace(STARTED, request_id="request-2"))
    telemetry.deadline_passed(STARTED, Outcome(checkpoint="7", records=1, unfinished=1))
    assert caplog.messages == []


def test_errors_of_many_kinds_whose_texts_are_long_or_missing_make_short_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise LookupError

    telemetry = Logs()
    telemetry.record_failed(RECORD, Mute(), attempt=1, parked=True)
    # Rejected, so without a traceback: pytest itself could not report lone surrogates.
    telemetry.record_failed(RECORD, Reject("\ud800" * 1_000_000), attempt=1, parked=True)
    telemetry.record_failed(RECORD, OSError("down"), attempt=1, parked=True)
    for number in range(100):
        telemetry.record_failed(RECORD, type(f"Error{number}", (Exception,), {})(), attempt=1, parked=False)
    telemetry.batch_finished(Outcome())
    assert caplog.messages[0].endswith("Mute: <Mute without a text: LookupError>")
    assert max(len(line.encode()) for line in caplog.messages) < 5_000
    assert caplog.messages[-1].endswith(f", {100 - KINDS_PER_BATCH} of {100 - KINDS_PER_BATCH} other kind(s)")


def test_a_record_of_which_nothing_is_known_is_still_told(caplog: pytest.LogCaptureFixture) -> None:
    from kstream.core.record import EventRecord

    Logs().record_failed(EventRecord({}), OSError("down"), attempt=1, parked=False)
    assert caplog.messages == ["record ?:? of no shard failed after 1 attempt(s): OSError: down"]
