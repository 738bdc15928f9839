"""What counts as success, as a partial failure, and as the failure of the whole batch."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.delivery import Failure, Partial, StreamRecord, Success, parse_answer

# The second and third compare otherwise as text than as numbers; the first is padded, as some emulators do.
BATCH = [StreamRecord("k", number, b"", 0.0) for number in ("0098", "99", "100", "1000")]


def failing(*identifiers: Any) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


@pytest.mark.parametrize(
    "answer", ["", [], None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"statusCode": 200}]
)
def test_success(answer: object) -> None:
    assert parse_answer(answer, BATCH) == Success()


@pytest.mark.parametrize(
    "answer",
    [
        failing(""),
        failing(None),
        failing(99),
        failing("98"),  # not as it was spelled
        failing("101"),
        failing("100", ""),
        failing("100", "101"),
        {"batchItemFailures": [{"foo": "100"}]},
        {"batchItemFailures": [{"foo": None}]},
        {"batchItemFailures": [{}]},
        {"batchItemFailures": ["100"]},
        {"batchItemFailures": "100"},
        {"batchItemFailures": {"itemIdentifier": "100"}},
        "done",
        [1],
        0,
        False,
    ],
)
def test_the_whole_batch_failed(answer: object) -> None:
    assert isinstance(parse_answer(answer, BATCH), Failure)


@pytest.mark.parametrize(
    ("answer", "lowest"),
    [
        (failing("1000"), "1000"),
        (failing("1000", "100", "99"), "99"),
        (failing("100", "0098"), "0098"),
        (failing("100", "100"), "100"),
    ],
)
def test_of_several_the_lowest_number_counts(answer: object, lowest: str) -> None:
    """Compared as a number: as text "100" would come before "99"."""
    assert parse_answer(answer, BATCH) == Partial(lowest)


@pytest.mark.parametrize("answer", [failing("99"), failing(""), "done", 0])
def test_a_mapping_that_does_not_report_item_failures_ignores_the_answer(answer: object) -> None:
    assert parse_answer(answer, BATCH, report_batch_item_failures=False) == Success()


def test_a_failure_names_what_was_wrong_within_bounds() -> None:
    verdict = parse_answer(failing("9" * 10_000), BATCH)
    assert isinstance(verdict, Failure)
    assert "itemIdentifier" in verdict.reason
    assert len(verdict.reason) < 300
