"""What a function's answer says about its batch.

With ``ReportBatchItemFailures`` (Lambda developer guide, "Configuring partial batch response with Kinesis Data Streams
and Lambda", and the behaviour that LocalStack recorded from AWS):

- *success*: ``""``, ``[]``, null, ``{}``, or ``batchItemFailures`` that is absent, null or empty;
- *the whole batch failed*: an identifier that is ``""``, null, under a wrong key, or not one of the batch's;
- *partial*: of the identifiers the lowest sequence number counts, compared as a number.

About an answer that is none of these (a word, a number, ``batchItemFailures`` that is no list) AWS says nothing; it
counts as failed here, because that loses nothing. Without ``ReportBatchItemFailures`` the answer is not read at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.core.delivery.batch import StreamRecord


@dataclass(frozen=True, slots=True)
class Success:
    """Every record of the batch is done."""


@dataclass(frozen=True, slots=True)
class Partial:
    """The records before ``sequence_number`` are done; it and what follows are delivered again."""

    sequence_number: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Nothing of the batch counts as done. ``reason`` is for people: one line, bounded by whoever writes it."""

    reason: str


Verdict = Success | Partial | Failure


def parse_answer(answer: object, batch: Sequence[StreamRecord], *, report_batch_item_failures: bool = True) -> Verdict:
    """The verdict of an invocation that did not raise. ``answer`` is JSON, parsed.

    Identifiers are compared exactly as spelled, so a number is not an identifier.
    """
    if not report_batch_item_failures or _is_empty(answer):
        return Success()
    if not isinstance(answer, dict):
        return Failure(f"the answer is {_kind(answer)}, not an object with batchItemFailures")
    failures = answer.get("batchItemFailures")
    if _is_empty(failures):
        return Success()
    if not isinstance(failures, list):
        return Failure(f"batchItemFailures is {_kind(failures)}, not a list")
    known = {record.sequence_number for record in batch}
    named: list[str] = []
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or identifier not in known:
            return Failure(f"an itemIdentifier of the answer is not in the batch: {_excerpt(failure)}")
        named.append(identifier)
    return Partial(min(named, key=int))


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def _kind(value: object) -> str:
    return f"{type(value).__name__} {_excerpt(value)}"


def _excerpt(value: object, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "..."
