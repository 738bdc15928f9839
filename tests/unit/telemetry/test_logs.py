"""The log: the first failures in full, the others counted, and never a payload."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import LedgerError, Reject
from kstream.core.handler import Handler
from kstream.core.outcome import Outcome
from kstream.core.record import Record
from kstream.core.retry import Retry
from kstream.runtimes.aws_lambda import on_lambda
from kstream.telemetry.logs import TOLD_PER_BATCH, Logs
from tests.support.processing import Letters, NotedLedger, entry, event

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
            {"failure(s) of the ledger"},
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
        "the ledger failed, so some records may be processed again: locked",
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False, False]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2 + [logging.ERROR, logging.WARNING]
    assert "secret" not in caplog.text


def test_a_batch_that_is_done_says_nothing_and_one_that_is_not_says_where(caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Logs()
    telemetry.batch_finished(Outcome(records=3, done=3))
    assert caplog.messages == []
    telemetry.batch_finished(
        Outcome(checkpoint="9", records=6, done=1, skipped=1, dead_lettered=1, failed=1, unfinished=2, out_of_time=True)
    )
    assert caplog.messages == ["batch unfinished at 9: 3 done, 1 failed, 2 not tried, out of time"]


def test_a_logger_can_be_given(caplog: pytest.LogCaptureFixture) -> None:
    Logs(logging.getLogger("mine")).ledger_failed(LedgerError("locked"))
    assert caplog.records[0].name == "mine"
