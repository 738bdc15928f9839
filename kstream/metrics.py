"""The names of kstream's metrics: what it counts and measures, for whoever shows them or raises an alarm.

Every batch makes one value of each count, of ``batch_duration`` and of ``checkpoint_lag``, and up to a hundred of
``record_age``. All have the same dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMESPACE = "kstream"
"""Of the metrics in CloudWatch, unless ``KSTREAM_NAMESPACE`` says otherwise."""

DIMENSIONS = ("service", "stream", "consumer")
"""What tells one series from another. Shards and ids are not among them: each would be a series of its own, and cost so."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One of them. ``unit`` is CloudWatch's word for it, ``field`` the attribute of ``Outcome`` that it shows, if any."""

    name: str
    unit: str
    meaning: str
    field: str | None = None


RECEIVED = Metric("RecordsReceived", "Count", "Kinesis records delivered", "kinesis_records")
USER_RECORDS = Metric("UserRecords", "Count", "user records in them, after de-aggregation", "records")
SUCCEEDED = Metric("RecordsSucceeded", "Count", "records that the handler has done", "done")
SKIPPED = Metric("RecordsSkipped", "Count", "records that the ledger knew as done", "skipped")
RETRIED = Metric("RecordsRetried", "Count", "attempts beyond a record's first", "retried")
REJECTED = Metric("RecordsRejected", "Count", "records that can never succeed", "rejected")
DEAD_LETTERED = Metric("RecordsDeadLettered", "Count", "records that went to the dead letters", "dead_lettered")
FAILED = Metric("RecordsFailed", "Count", "records that were tried and are not done", "failed")
UNFINISHED = Metric("RecordsUnfinished", "Count", "records left for order's or the deadline's sake", "unfinished")
LEDGER_FAILURES = Metric("LedgerFailures", "Count", "reads and writes that the ledger refused", "ledger_failures")
DEAD_LETTER_FAILURES = Metric(
    "DeadLetterFailures", "Count", "letters that the sink refused; their records failed", "dead_letter_failures"
)
OUT_OF_TIME = Metric("BatchesOutOfTime", "Count", "batches that the deadline stopped", "out_of_time")
BATCH_DURATION = Metric("BatchDuration", "Milliseconds", "from a batch's arrival at the consumer to its outcome")
RECORD_AGE = Metric("RecordAge", "Milliseconds", "from a Kinesis record's arrival in the stream to its batch's start")
CHECKPOINT_LAG = Metric(
    "CheckpointLag",
    "Milliseconds",
    "age, at a batch's end, of its first record that is not done; of its last, if all are",
)

COUNTS = (
    RECEIVED,
    USER_RECORDS,
    SUCCEEDED,
    SKIPPED,
    RETRIED,
    REJECTED,
    DEAD_LETTERED,
    FAILED,
    UNFINISHED,
    LEDGER_FAILURES,
    DEAD_LETTER_FAILURES,
    OUT_OF_TIME,
)
TIMES = (BATCH_DURATION, RECORD_AGE, CHECKPOINT_LAG)
ALL = COUNTS + TIMES
