"""Whose positions they are."""

from __future__ import annotations

import pytest

from kstream.core.ports import Scope


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:kinesis:eu-west-1:123456789012:stream/orders", "orders"),
        ("arn:aws-cn:kinesis:cn-north-1:123456789012:stream/orders.v1", "orders.v1"),
        ("arn:aws:kinesis:eu-west-1:123456789012:stream/orders/consumer/totals:1700000000", "orders"),
        ("", ""),
        ("orders", "orders"),
    ],
)
def test_a_stream_is_called_by_its_name_also_where_a_consumer_of_it_is_read(arn: str, name: str) -> None:
    """With enhanced fan-out, Lambda's event names the consumer's ARN."""
    assert Scope("totals", arn, "shardId-0").stream == name
