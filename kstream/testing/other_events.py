"""Events of the sources that are not Kinesis, as Lambda gives them: changes of a DynamoDB table, messages of an SQS queue.

dynamodb_event([{"id": "o-1", "amount": 3}, ({"id": "o-1", "amount": 3}, None)])
sqs_event(["one", ("two", "group-2")], queue_arn="arn:aws:sqs:us-east-1:000000000000:orders.fifo")
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from hashlib import md5
from math import isfinite
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kstream.core.record import Record
from kstream.testing.events import FIRST_ARRIVAL, payload_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kstream.testing.events import Payload

    Item = Mapping[str, Any]
    # A new item, or what an item was and what it became; None where there was, or is, none.
    Change = Item | tuple[Item | None, Item | None]

TABLE_STREAM_ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/test/stream/2023-11-14T22:13:20.000"
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:test"
FIRST_CHANGE = 4_421_584_500_000_000_017_450_439_091  # 28 digits, of which AWS gives 21 to 40


def dynamodb_event(
    changes: Iterable[Change],
    *,
    keys: Sequence[str] = ("id",),
    stream_arn: str = TABLE_STREAM_ARN,
    first_sequence_number: int = FIRST_CHANGE,
) -> dict[str, Any]:
    """The event that Lambda would deliver for changes of a table whose stream has NEW_AND_OLD_IMAGES.

    A change is a new item, or a pair: the item as it was and as it became, either of them None. An item is a dictionary of
    plain values: text, numbers, bytes, booleans, None, lists, dictionaries, sets. ``keys`` names the attributes of the
    table's key. Raises ``ValueError`` for an item without them, or no item at all, ``TypeError`` for other values
    and for one change that is not in a list.
    """
    _check_several("changes", changes)
    return {"Records": [
        _change(*(change if isinstance(change, tuple) else (None, change)), keys, stream_arn, first_sequence_number + index)
        for index, change in enumerate(changes)
    ]}  # fmt: skip


def sqs_event(
    messages: Iterable[Payload | tuple[Payload, str] | Record], *, queue_arn: str = QUEUE_ARN, first_message: int = 0
) -> dict[str, Any]:
    """The event that Lambda would deliver for messages of a queue: a FIFO queue, if its name ends with ``.fifo``.

    A message is a body, alone or with its message group; text stands for itself, a dictionary or a list for its JSON. A
    ``Record`` gives its payload, its headers as attributes and, in a FIFO queue, its partition key as the group. Without
    one the group is ``group-<index>``. Ids are numbered upwards from ``first_message``.
    Raises ``UnicodeDecodeError`` for bytes that are not UTF-8, ``TypeError`` for anything else, also one body
    that is not in a list.
    """
    _check_several("messages", messages)
    fifo = queue_arn.endswith(".fifo")
    made = []
    for index, message in enumerate(messages):
        group: str | None = f"group-{index}" if fifo else None
        headers: Mapping[str, str] = {}
        if isinstance(message, Record):
            body, headers = message.text(), message.headers
            group = message.partition_key if fifo else None
        elif isinstance(message, tuple):
            body, group = payload_bytes(message[0]).decode(), message[1]
        else:
            body = payload_bytes(message).decode()
        made.append(_message(body, group, headers, queue_arn, first_message + index))
    return {"Records": made}


def _check_several(name: str, given: object) -> None:
    # One of them would pass as many: text as its letters, a dictionary as its keys.
    if isinstance(given, str | bytes | Mapping):
        raise TypeError(f"{name}={given!r} is one: give a list of them, as in [{given!r}]")


def _change(old: Item | None, new: Item | None, keys: Sequence[str], stream_arn: str, sequence: int) -> dict[str, Any]:
    item = new if new is not None else old
    if item is None or (missing := [key for key in keys if key not in item]):
        raise ValueError("a change has no item" if item is None else f"the item {item!r} has no {', '.join(missing)}")
    images = {"NewImage": new, "OldImage": old}
    return {
        "eventID": md5(f"{stream_arn}/{sequence}".encode(), usedforsecurity=False).hexdigest(),
        "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream_arn.split(":")[3],
        "dynamodb": {
            "ApproximateCreationDateTime": FIRST_ARRIVAL,
            "Keys": {key: _attribute(item[key]) for key in keys},
            **{name: _attribute(image)["M"] for name, image in images.items() if image is not None},
            "SequenceNumber": str(sequence),
            "SizeBytes": len(repr(images)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": stream_arn,
    }


def _attribute(value: object) -> dict[str, Any]:
    """A value as DynamoDB writes it: under the name of its type."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float() | Decimal() if isfinite(value):
            return {"N": str(value)}
        case bytes():
            return {"B": b64encode(value).decode()}
        case Mapping():
            return {"M": {str(name): _attribute(one) for name, one in value.items()}}
        case list() | tuple():
            return {"L": [_attribute(one) for one in value]}
        case AbstractSet():
            kinds = {kind for one in value for kind in _attribute(one)}
            if len(kinds) == 1 and kinds <= {"S", "N", "B"}:
                [kind] = kinds
                return {f"{kind}S": sorted(_attribute(one)[kind] for one in value)}
    raise TypeError(f"DynamoDB has no type for {value!r}")


def _message(body: str, group: str | None, headers: Mapping[str, str], queue_arn: str, number: int) -> dict[str, Any]:
    sent = str(round(FIRST_ARRIVAL * 1000) + number)
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": sent,
        "SenderId": "AIDAEXAMPLEEXAMPLE01",
        "ApproximateFirstReceiveTimestamp": sent,
    }
    if group is not None:
        attributes["MessageGroupId"] = group
    digest = md5(body.encode(), usedforsecurity=False).hexdigest()
    if queue_arn.endswith(".fifo"):
        attributes |= {"SequenceNumber": str(18_849_496_460_467_696_128 + number), "MessageDeduplicationId": digest}
    return {
        "messageId": str(UUID(int=number, version=4)),
        "receiptHandle": f"receipt-{number}",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {
            name: {"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"}
            for name, value in headers.items()
            if not name.startswith("AWS.")  # which SQS keeps for itself: what a record has of it came from a queue
        },
        "md5OfBody": digest,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
