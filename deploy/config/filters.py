"""Filters of an event source mapping: what a pattern may look like (Lambda Developer Guide, "Control which events Lambda
sends to your function").

A pattern names fields of the record as Lambda delivers it. Where it ends, there is a list of what may stand there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.config.fields import Complaint
from deploy.config.problems import inside, listed, nearest

LONGEST = 4096
"""Characters of a pattern, as JSON."""

_EVENT = ("awsRegion", "eventID", "eventName", "eventSource", "eventSourceARN", "eventVersion")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "kinesis": (
        "data", "partitionKey", "sequenceNumber", "approximateArrivalTimestamp", "kinesisSchemaVersion",
        "invokeIdentityArn", *_EVENT,
    ),
    "dynamodb": ("dynamodb", "userIdentity", *_EVENT),
    "sqs": (
        "body", "messageAttributes", "attributes", "messageId", "receiptHandle", "md5OfBody", *_EVENT,
    ),
}  # fmt: skip
"""What a record of each source has at the top."""

_MATCHERS = ("prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "wildcard", "cidr")
_EITHER = "$or"


def misshapen(pattern: Mapping[str, Any]) -> Iterator[Complaint]:
    """What no source would take."""
    found = list(_fields(pattern, ""))
    yield from found
    if not pattern:
        yield "", "is empty: a pattern names at least one field"
    elif not found and len(json.dumps(pattern)) > LONGEST:
        yield "", f"has more than {LONGEST:,} characters as JSON: Lambda takes no longer one"


def unknown_fields(pattern: Mapping[str, Any], kind: str) -> Iterator[Complaint]:
    """Fields that no record of this source has: nothing would ever be delivered."""
    for name, below in pattern.items():
        if name == _EITHER and isinstance(below, list):
            for number, part in enumerate(below):
                if isinstance(part, dict):
                    yield from ((inside(f"{_EITHER}[{number}]", at), why) for at, why in unknown_fields(part, kind))
        elif name not in FIELDS[kind]:
            hint = nearest(name, FIELDS[kind]) or "."
            yield name, f"is no field of a record from {kind}{hint} It has {listed(FIELDS[kind])}"


def _fields(pattern: Mapping[str, Any], path: str) -> Iterator[Complaint]:
    for name, below in pattern.items():
        at = inside(path, name)
        if isinstance(below, dict):
            yield from _fields(below, at)
        elif not isinstance(below, list) or not below:
            yield at, f"is {below!r}; it is a list of what may stand there, for example {_example(below)}"
        elif name == _EITHER:
            for number, part in enumerate(below):
                if isinstance(part, dict):
                    yield from _fields(part, f"{at}[{number}]")
                else:
                    yield f"{at}[{number}]", f"is {part!r}; it is a table of fields"
        else:
            for number, one in enumerate(below):
                yield from _value(one, f"{at}[{number}]")


def _value(one: Any, at: str) -> Iterator[Complaint]:
    if isinstance(one, dict):
        wrong = [name for name in one if name not in _MATCHERS]
        for name in wrong:
            yield inside(at, name), f"is no way to match{nearest(name, _MATCHERS) or ';'} there are {listed(_MATCHERS)}"
        if not wrong and not _is_json(one):
            yield at, f"is {one!r}, which JSON cannot say: write times as text"
    elif isinstance(one, list) or not _is_json(one):
        yield at, f"is {one!r}; it is text, a number, true or false, or a way to match, like {{ prefix = 'c-' }}"


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int)


def _example(value: Any) -> str:
    return f"[{json.dumps(value)}]" if _is_json(value) and not isinstance(value, list) else '["UA"]'
