"""The event source mapping's rules, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.delivery import (
    Delivery,
    Discard,
    Failure,
    Partial,
    ShardDelivery,
    StreamRecord,
    Success,
    exponential_backoff,
    on_failure_message,
)
from kstream.core.errors import ConfigurationError
from kstream.core.mapping import EventSourceMapping

NOW = 1_700_000_000.0
BOOM = Failure("boom")


def records(count: int, *, first: int = 1, key: str = "k", at: float = NOW, size: int = 1) -> list[StreamRecord]:
    return [StreamRecord(key, str(number), b"x" * size, at) for number in range(first, first + count)]


def shard(**knobs: Any) -> ShardDelivery:
    limits = {name: knobs.pop(name) for name in ("payload_limit", "checkpoint") if name in knobs}
    mapping = EventSourceMapping(**{"batch_size": 10, **knobs})
    return ShardDelivery(mapping, "shard-0", backoff=lambda retry: float(retry), **limits)


def delivered(shard: ShardDelivery, now: float = NOW) -> Delivery:
    step = shard.due(now)
    assert isinstance(step, Delivery), step
    return step


def discarded(shard: ShardDelivery, now: float = NOW) -> Discard:
    step = shard.due(now)
    assert isinstance(step, Discard), step
    return step


def numbers(step: Delivery | Discard) -> list[int]:
    return [int(record.sequence_number) for record in step.records]


def test_a_batch_holds_what_is_there_up_to_the_batch_size() -> None:
    it = shard(batch_size=3)
    it.offer(records(5), NOW)
    first = delivered(it)
    assert numbers(first) == [1, 2, 3]
    assert it.due(NOW) is None, "one delivery of a lane at a time"
    it.settle(first, Success(), NOW)
    assert it.checkpoint == "3"
    second = delivered(it)
    assert numbers(second) == [4, 5]
    it.settle(second, Success(), NOW)
    assert (it.checkpoint, it.idle, it.next_due()) == ("5", True, None)


def test_a_batch_ends_before_the_payload_limit() -> None:
    it = shard(payload_limit=3_000)
    it.offer(records(5, size=600), NOW)  # in base64 800 bytes, and the envelope
    assert numbers(delivered(it)) == [1, 2]


def test_a_record_that_fits_into_no_event_is_discarded_alone() -> None:
    it = shard(payload_limit=3_000, batching_window=60)
    it.offer(records(1) + records(1, first=2, size=4_000) + records(1, first=3), NOW)
    first = delivered(it)
    assert numbers(first) == [1]
    it.settle(first, Success(), NOW)
    discard = discarded(it)
    assert (numbers(discard), discard.invocations) == ([2], 0)
    assert "4,000 bytes" in discard.error
    it.confirm(discard, NOW)
    assert numbers(delivered(it, NOW + 60)) == [3]


def test_a_batching_window_waits_for_a_fuller_batch() -> None:
    it = shard(batch_size=3, batching_window=20)
    it.offer(records(1), NOW)
    it.offer(records(1, first=2), NOW + 15)
    assert it.due(NOW + 19.9) is None
    assert it.next_due() == NOW + 20, "counted from the first record"
    assert numbers(delivered(it, NOW + 20)) == [1, 2]


@pytest.mark.parametrize("ending", ["full", "payload", "closed"])
def test_what_ends_a_batching_window_early(ending: str) -> None:
    it = shard(batch_size=3, batching_window=20, payload_limit=10_000)
    match ending:
        case "full":
            it.offer(records(3), NOW)
        case "payload":
            it.offer(records(2, size=4_000), NOW)
        case "closed":
            it.offer(records(1), NOW)
            it.close()
    assert it.next_due() == NOW
    assert isinstance(it.due(NOW), Delivery)


def test_a_failed_batch_comes_back_as_the_same_records_after_a_backoff() -> None:
    it = shard()
    it.offer(records(2), NOW)
    it.settle(delivered(it), BOOM, NOW)
    it.offer(records(2, first=3), NOW)
    assert it.due(NOW + 0.9) is None
    assert it.next_due() == NOW + 1
    again = delivered(it, NOW + 1)
    assert (numbers(again), again.attempt) == ([1, 2], 2)
    it.settle(again, BOOM, NOW + 1)
    assert it.next_due() == NOW + 3, "the second backoff is longer"
    assert it.checkpoint is None


def test_retries_are_exact_and_then_all_of_the_batch_is_discarded() -> None:
    """The failing record and the good ones behind it."""
    it = shard(maximum_retry_attempts=2)
    it.offer(records(3), NOW)
    for attempt in (1, 2, 3):
        delivery = delivered(it, NOW + 10 * attempt)
        assert delivery.attempt == attempt
        it.settle(delivery, BOOM, NOW + 10 * attempt)
    discard = discarded(it, NOW + 30)
    assert (numbers(discard), discard.condition, discard.invocations) == ([1, 2, 3], "RetryAttemptsExhausted", 3)
    assert (discard.error, discard.delivery_id) == ("boom", delivery.id)
    assert not it.idle, "not settled before the destination has it"
    it.confirm(discard, NOW + 30)
    assert it.checkpoint == "3"
    assert it.idle


def test_a_refused_discard_comes_up_again_and_nothing_passes_it() -> None:
    it = shard(maximum_retry_attempts=0)
    it.offer(records(1), NOW)
    it.settle(delivered(it), BOOM, NOW)
    it.offer(records(1, first=2), NOW)
    discard = discarded(it)
    it.defer(discard, NOW)
    assert (it.due(NOW + 0.9), it.next_due(), it.checkpoint) == (None, NOW + 1, None)
    again = discarded(it, NOW + 1)
    assert again is discard
    it.confirm(again, NOW + 1)
    assert numbers(delivered(it, NOW + 1)) == [2]


def test_a_partial_answer_settles_what_is_before_it_and_the_rest_starts_afresh() -> None:
    it = shard(maximum_retry_attempts=1)
    it.offer(records(4), NOW)
    it.settle(delivered(it), BOOM, NOW)
    second = delivered(it, NOW + 1)
    it.settle(second, Partial("3"), NOW + 1)
    it.offer(records(1, first=5), NOW + 1)
    assert it.checkpoint == "2"
    rest = delivered(it, NOW + 1)
    assert (numbers(rest), rest.attempt) == ([3, 4], 1), "not merged with new records; a fresh budget"
    it.settle(rest, BOOM, NOW + 1)
    again = delivered(it, NOW + 2)
    it.settle(again, BOOM, NOW + 2)
    discard = discarded(it, NOW + 2)
    assert (numbers(discard), discard.invocations) == ([3, 4], 2)


def test_a_partial_answer_at_the_first_record_uses_up_a_retry() -> None:
    it = shard(maximum_retry_attempts=0, bisect_on_error=True)
    it.offer(records(3), NOW)
    it.settle(delivered(it), Partial("1"), NOW)
    discard = discarded(it)
    assert (numbers(discard), discard.answered) == ([1, 2, 3], True)


def test_bisect_halves_a_failed_batch_without_using_up_retries() -> None:
    it = shard(bisect_on_error=True, maximum_retry_attempts=0)
    it.offer(records(4), NOW)
    it.settle(delivered(it), BOOM, NOW)
    left = delivered(it)
    assert numbers(left) == [1, 2]
    it.settle(left, BOOM, NOW)
    one = delivered(it)
    assert numbers(one) == [1]
    it.settle(one, Success(), NOW)
    two = delivered(it)
    assert numbers(two) == [2]
    it.settle(two, BOOM, NOW)
    discard = discarded(it)
    assert (numbers(discard), discard.invocations) == ([2], 1)
    it.confirm(discard, NOW)
    right = delivered(it)
    assert (numbers(right), it.checkpoint) == ([3, 4], "2")


def test_bisect_and_a_partial_answer_cut_at_the_returned_number() -> None:
    it = shard(bisect_on_error=True)
    it.offer(records(10), NOW)
    it.settle(delivered(it), Partial("4"), NOW)
    assert numbers(delivered(it)) == list(range(4, 11))


def test_records_that_are_too_old_are_discarded_before_they_are_delivered() -> None:
    it = shard(maximum_record_age=60)
    it.offer(records(2, at=NOW - 61) + records(2, first=3), NOW)
    discard = discarded(it)
    assert (numbers(discard), discard.condition, discard.invocations) == ([1, 2], "RecordAgeExceeded", 0)
    it.confirm(discard, NOW)
    assert it.checkpoint == "2"
    assert numbers(delivered(it)) == [3, 4]


def test_records_grow_too_old_while_they_are_retried() -> None:
    it = shard(maximum_record_age=60)
    it.offer(records(1) + records(1, first=2, at=NOW + 30), NOW)
    it.settle(delivered(it), BOOM, NOW)
    discard = discarded(it, NOW + 61)
    assert (numbers(discard), discard.condition, discard.invocations) == ([1], "RecordAgeExceeded", 1)
    it.confirm(discard, NOW + 61)
    rest = delivered(it, NOW + 61)
    assert (numbers(rest), rest.attempt) == ([2], 1)


def test_lanes_keep_order_by_outer_key_and_the_checkpoint_waits_for_the_slowest() -> None:
    it = shard(parallelization_factor=2, batch_size=2)
    it.offer([StreamRecord(f"k{n % 8}", str(n), b"", NOW) for n in range(1, 13)], NOW)
    one, other = delivered(it), delivered(it)
    assert it.due(NOW) is None, "one delivery a lane"
    assert {one.lane, other.lane} == {0, 1}
    first, second = sorted((one, other), key=lambda delivery: numbers(delivery)[0])
    it.settle(second, Success(), NOW)
    assert it.checkpoint is None
    it.settle(first, Success(), NOW)
    settled = {*numbers(first), *numbers(second)}
    assert it.checkpoint == str(max(n for n in range(1, 13) if set(range(1, n + 1)) <= settled))


def test_a_failing_lane_does_not_stop_the_others() -> None:
    it = shard(parallelization_factor=2, batch_size=1)
    it.offer([StreamRecord(f"k{n % 8}", str(n), b"", NOW) for n in range(1, 41)], NOW)
    poison = delivered(it)
    it.settle(poison, BOOM, NOW)
    done = 0
    while (step := it.due(NOW)) is not None:
        assert isinstance(step, Delivery)
        assert step.lane != poison.lane
        it.settle(step, Success(), NOW)
        done += 1
    assert done > 0
    assert it.checkpoint is None or int(it.checkpoint) < numbers(poison)[0]


def test_a_closed_shard_is_finished_once_all_is_settled() -> None:
    it = shard()
    it.offer(records(1), NOW)
    it.close()
    assert (it.finished, it.room()) == (False, 0)
    it.settle(delivered(it), Success(), NOW)
    assert it.finished
    with pytest.raises(ValueError, match="closed"):
        it.offer(records(1, first=2), NOW)


def test_room_is_bounded_in_records_and_in_bytes() -> None:
    it = shard(batch_size=100)
    it.offer(records(9_000), NOW)
    assert it.room() == 100 + 10_000 - 9_000
    it.offer(records(1_100, first=9_001), NOW)
    assert it.room() == 0
    big = shard(batch_size=100, payload_limit=10_000)
    big.offer(records(20, size=1_000), NOW)
    assert big.room() == 0


@pytest.mark.parametrize("again", [records(1), records(1, first=3)[::-1] + records(1, first=2)])
def test_records_that_do_not_follow_are_refused(again: list[StreamRecord]) -> None:
    it = shard()
    it.offer(records(1), NOW)
    with pytest.raises(ValueError, match="does not follow"):
        it.offer(again, NOW)


def test_it_goes_on_behind_a_checkpoint() -> None:
    it = shard(checkpoint="7")
    assert it.checkpoint == "7"
    with pytest.raises(ValueError, match="does not follow on 7"):
        it.offer(records(1, first=7), NOW)


def test_a_delivery_is_settled_once() -> None:
    it = shard()
    it.offer(records(1), NOW)
    delivery = delivered(it)
    it.settle(delivery, Success(), NOW)
    with pytest.raises(ValueError, match="settled before"):
        it.settle(delivery, Success(), NOW)


def test_a_tumbling_window_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tumbling_window=0"):
        shard(tumbling_window=60)


def test_the_default_backoff_grows_and_is_bounded() -> None:
    wait = exponential_backoff()
    assert [wait(1), wait(2), wait(3)] == [0.25, 0.5, 1.0]
    assert wait(10_000) == 30


def message_for(discard: Discard) -> dict[str, Any]:
    return on_failure_message(discard, stream_arn="arn:s", function_arn="arn:f", request_id="id", now=NOW + 0.5)


def test_the_on_failure_message_has_the_form_that_aws_documents() -> None:
    it = shard(maximum_retry_attempts=0)
    it.offer([*records(1), *records(1, first=2, at=NOW + 0.25)], NOW)
    it.settle(delivered(it), BOOM, NOW)
    assert message_for(discarded(it)) == {
        "requestContext": {
            "requestId": "id",
            "functionArn": "arn:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2023-11-14T22:13:20.500Z",
        "KinesisBatchInfo": {
            "shardId": "shard-0",
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.000Z",
            "approximateArrivalOfLastRecord": "2023-11-14T22:13:20.250Z",
            "batchSize": 2,
            "streamArn": "arn:s",
        },
    }


def test_the_message_for_aged_records_has_no_response() -> None:
    it = shard(maximum_record_age=60)
    it.offer(records(1, at=NOW - 100), NOW)
    message = message_for(discarded(it))
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in message


def test_the_message_after_an_answer_names_no_function_error() -> None:
    it = shard(maximum_retry_attempts=0)
    it.offer(records(1), NOW)
    it.settle(delivered(it), Partial("1"), NOW)
    assert message_for(discarded(it))["responseContext"]["functionError"] is None
