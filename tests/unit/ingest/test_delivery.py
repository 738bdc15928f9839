"""The client's decisions, answer by answer, without I/O."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.retry import Retry
from kstream.ingest.delivery import Delivery
from kstream.ingest.errors import (
    BadAnswer,
    BadRequest,
    NotAuthorized,
    NotFound,
    Throttled,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from kstream.ingest.records import item
from kstream.ingest.results import PutFailure, PutResult
from kstream.ingest.wire import Answer, retry_after

if TYPE_CHECKING:
    from kstream.ingest.errors import (
        IngestError,
    )

NOW = 1_700_000_000.0
PUT = {"sequenceNumber": "1", "shardId": "s"}
THROTTLED = {"errorCode": "ProvisionedThroughputExceededException", "errorMessage": "slow down"}
FAILED = {"errorCode": "InternalFailure", "errorMessage": ""}


def delivery(count: int = 3, attempts: int = 3) -> Delivery:
    records = [item(10 + n, (b"%d" % n, "k"), 100) for n in range(count)]
    return Delivery("orders", records, Retry(attempts=attempts, base=1.0, cap=4.0), lambda low, high: high)


def answer(status: int, *records: dict[str, str], **headers: str) -> Answer:
    body = {"failedCount": 0, "records": records}
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


def envelope(status: int, **headers: str) -> Answer:
    body = {"error": {"code": "Some", "message": "words", "requestId": "r-9"}}
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode())


def sent(one: Delivery) -> list[bytes]:
    from base64 import b64decode

    return [b64decode(record["dataBase64"]) for record in json.loads(one.request().body)["records"]]


def test_a_full_success_is_settled_at_once() -> None:
    one = delivery()
    assert sent(one) == [b"0", b"1", b"2"]
    one.answered(answer(200, PUT, PUT, PUT), NOW)
    assert one.settled
    assert one.outcomes == [PutResult("1", "s")] * 3
    assert one.retried == 0


def test_only_the_failed_records_are_sent_again_in_their_order() -> None:
    one = delivery()
    one.request()
    one.answered(answer(207, THROTTLED, PUT, FAILED), NOW)
    assert not one.settled
    assert sent(one) == [b"0", b"2"]
    one.answered(answer(207, PUT, THROTTLED), NOW)
    assert sent(one) == [b"2"]
    one.answered(answer(200, {"sequenceNumber": "9", "shardId": "t"}), NOW)
    assert one.settled
    assert one.outcomes == [PutResult("1", "s"), PutResult("1", "s"), PutResult("9", "t")]
    assert one.retried == 3


def test_used_up_attempts_end_in_failures_that_say_so() -> None:
    one = delivery(2, attempts=2)
    for _ in range(2):
        one.request()
        one.answered(answer(207, *([PUT, THROTTLED] if one.attempts == 1 else [THROTTLED])), NOW)
    assert one.settled
    put, failure = one.outcomes
    assert put == PutResult("1", "s")
    assert isinstance(failure, PutFailure)
    assert (failure.index, failure.record, failure.attempts) == (11, (b"1", "k"), 2)
    assert isinstance(failure.error, Throttled)


@pytest.mark.parametrize(
    ("status", "kind", "again", "fatal"),
    [
        (400, BadRequest, False, False),
        (401, NotAuthorized, False, True),
        (403, NotAuthorized, False, True),
        (404, NotFound, False, True),
        (405, BadAnswer, False, True),
        (408, Unavailable, True, False),
        (413, TooLarge, False, False),
        (415, UnsupportedMedia, False, True),
        (429, Throttled, True, False),
        (500, Unavailable, True, False),
        (502, Unavailable, True, False),
        (503, Unavailable, True, False),
        (301, BadAnswer, False, True),
        (204, BadAnswer, False, True),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[IngestError], again: bool, fatal: bool) -> None:
    one = delivery(2, attempts=2)
    one.request()
    one.answered(envelope(status), NOW)
    assert one.settled is not again
    assert (one.fatal is not None) is fatal
    if again:
        one.request()
        one.answered(envelope(status), NOW)
    for outcome in one.outcomes:
        assert isinstance(outcome, PutFailure)
        assert type(outcome.error) is kind
        assert (outcome.error.status, outcome.error.code, outcome.error.request_id) == (status, "Some", "r-9")
        assert "words" in str(outcome.error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b'{"records":[]}',
        b'{"records":[{},{}]}',
        b'{"records":[1,2]}',
        b'{"records":[{"sequenceNumber":1,"shardId":"s"},{"sequenceNumber":"1","shardId":"s"}]}',
    ],
)
def test_a_success_that_cannot_be_read_is_no_success(body: bytes) -> None:
    one = delivery(2)
    one.request()
    one.answered(Answer(200, {}, body), NOW)
    assert one.settled
    assert isinstance(one.fatal, BadAnswer)
    assert all(isinstance(outcome, PutFailure) for outcome in one.outcomes)


def test_an_error_without_an_envelope_shows_what_came() -> None:
    one = delivery(1, attempts=1)
    one.request()
    one.answered(Answer(503, {}, b"upstream is down"), NOW)
    (failure,) = one.outcomes
    assert isinstance(failure, PutFailure)
    assert "upstream is down" in str(failure.error)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        (
            "https://api.example/prod/x?token=s3cr3t",
            "301: it points to 'https://api.example/prod/x', and no redirect is",
        ),
        ("https://user:s3cr3t@api.example", "301: moved"),
        ("", "301: moved"),
    ],
)
def test_a_redirect_says_where_to_and_tells_no_secret(location: str, says: str) -> None:
    one = delivery(1)
    one.request()
    one.answered(Answer(301, {"location": location}, b"moved"), NOW)
    assert one.fatal is not None
    assert str(one.fatal).startswith(says)
    assert "s3cr3t" not in str(one.fatal)


def test_a_lost_answer_sends_everything_again() -> None:
    one = delivery(2)
    one.request()
    one.lost("no answer")
    assert sent(one) == [b"0", b"1"]


def test_pauses_double_up_to_the_cap_and_come_on_top_of_retry_after() -> None:
    one = delivery(1, attempts=9)
    pauses = []
    for headers in ({}, {}, {}, {}, {"retry_after": "7"}):
        one.request()
        one.answered(envelope(429, **headers), NOW)
        pauses.append(one.pause)
    assert pauses == [1, 2, 4, 4, 11]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("-1", 0),
        ("999999", 60),
        ("nan", 0),
        ("inf", 0),
        ("soon", 0),
        ("", 0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_absurd(value: str, seconds: float) -> None:
    assert retry_after(Answer(429, {"retry-after": value}, b""), NOW) == seconds


def test_a_date_that_names_no_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110, 5.6.7: the form of C's asctime. Not the time of wherever this machine stands."""
    try:
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("TZ", "Etc/GMT+9")
            time.tzset()
            assert retry_after(Answer(429, {"retry-after": "Tue Nov 14 22:13:30 2023"}, b""), NOW) == 10
    finally:
        time.tzset()


def test_abandoning_keeps_what_is_settled() -> None:
    one = delivery(2)
    one.request()
    one.answered(answer(207, PUT, THROTTLED), NOW)
    reason: Any = Unavailable("ended")
    one.abandon(reason)
    assert one.settled
    assert one.outcomes == [PutResult("1", "s"), PutFailure(11, (b"1", "k"), reason, 1)]
