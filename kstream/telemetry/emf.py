"""Numbers as documents in CloudWatch's embedded metric format: lines of a function's log that CloudWatch reads metrics from.

The format and its limits are those of "Specification: Embedded metric format" in the CloudWatch user guide; lengths and
characters are those of PutMetricData, whose rules hold for what is read from a document too.
"""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

from kstream.core.errors import ConfigurationError
from kstream.metrics import DIMENSIONS
from kstream.telemetry.numbers import MOST_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kstream.metrics import Metric
    from kstream.telemetry.numbers import Numbers

MOST_METRICS = 100
"""In one document."""

MOST_BYTES = 64_000
"""Of one document. CloudWatch takes events of 1 MB; 256 KB were its limit before, and what some agents pass on. But a pipe
holds 64 KiB: what is longer goes out in pieces, and users have seen Lambda make an event of each."""

PROPERTIES = (
    "shard",
    "request_id",
    "first_sequence_number",
    "last_sequence_number",
    "checkpoint",
    "ended",
    "error",
    "cold_start",
    "documents_dropped",
)
"""Facts beside the metrics, to be searched for in the log. None is a dimension: each would make series without end."""

RESERVED = frozenset(("_aws", *DIMENSIONS, *PROPERTIES))
"""Members of a document that no metric may be named after."""

_LONGEST = 1024
_LONGEST_PROPERTY = 256
_FRAME = 1000  # bytes of a document's other parts, its namespace among them
_IN_NAMESPACES = frozenset(string.ascii_letters + string.digits + ".-_/#: ")


def documents(
    numbers: Numbers,
    *,
    namespace: str,
    dimensions: Mapping[str, str],
    timestamp: float,
    properties: Mapping[str, str | int | bool],
) -> Iterator[str]:
    """The numbers as documents, each one line without its end.

    A document has at most ``MOST_METRICS`` metrics with ``MOST_VALUES`` values each, in ``MOST_BYTES``; what goes beyond
    is in a further one. ``dimensions`` holds a value for each of ``DIMENSIONS``, ``timestamp`` is in seconds since the
    epoch, ``properties`` are named as in ``PROPERTIES``.
    """
    fixed: dict[str, Any] = {name: dimension_value(dimensions[name]) for name in DIMENSIONS}
    fixed |= {
        name: value[:_LONGEST_PROPERTY] if isinstance(value, str) else value for name, value in properties.items()
    }
    for part in _parts(numbers, MOST_BYTES - _FRAME - len(json.dumps(fixed))):
        directive = {
            "Namespace": namespace,
            "Dimensions": [list(DIMENSIONS)],
            "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in part],
        }
        document = {"_aws": {"Timestamp": round(timestamp * 1000), "CloudWatchMetrics": [directive]}, **fixed}
        document |= {metric.name: _target(values) for metric, values in part.items()}
        yield json.dumps(document, separators=(",", ":"), allow_nan=False)


def dimension_value(text: str) -> str:
    """``text`` as CloudWatch takes it for a dimension's value: 1 to 1024 printable ASCII characters, not all blank."""
    printable = "".join(letter if " " <= letter <= "~" else "?" for letter in text)
    return printable.strip()[:_LONGEST].rstrip() or "unknown"


def check_dimension(name: str, value: object) -> str:
    """Raises ``ConfigurationError`` for what CloudWatch would not take as it is for the value of dimension ``name``."""
    if not isinstance(value, str) or dimension_value(value) != value:
        raise ConfigurationError(
            f"{name}={value!r}: give 1 to 1024 printable ASCII characters, without a blank at the ends"
        )
    return value


def check_namespace(namespace: Any) -> str:
    """Raises ``ConfigurationError`` for what CloudWatch would refuse."""
    sound = isinstance(namespace, str) and 1 <= len(namespace) <= 255 and _IN_NAMESPACES.issuperset(namespace)
    if not sound or namespace.isspace() or namespace.startswith((":", "AWS/")):
        raise ConfigurationError(
            f"namespace={namespace!r}: give 1 to 255 letters, digits, blanks or any of . - _ / # : with no colon in front, "
            "and not AWS/, which is Amazon's"
        )
    return str(namespace)


def _parts(numbers: Numbers, room: int) -> Iterator[dict[Metric, tuple[float, ...]]]:
    """The numbers in parts that fit a document. A metric is in a part at most once."""
    part: dict[Metric, tuple[float, ...]] = {}
    left = room
    for metric, values in _pieces(numbers):
        size = len(json.dumps([metric.name, metric.name, metric.unit, values])) + len('{"Name":,"Unit":},')
        if part and (metric in part or len(part) == MOST_METRICS or size > left):
            yield part
            part, left = {}, room
        part[metric] = values
        left -= size
    if part:
        yield part


def _pieces(numbers: Numbers) -> Iterator[tuple[Metric, tuple[float, ...]]]:
    """First the first values of all metrics, then the next ones of those that have more."""
    longest = max(map(len, numbers.values()), default=0)
    for start in range(0, longest, MOST_VALUES):
        for metric, values in numbers.items():
            if piece := tuple(values[start : start + MOST_VALUES]):
                yield metric, piece


def _target(values: tuple[float, ...]) -> float | list[float]:
    short = [int(value) if value.is_integer() and abs(value) < 1e15 else value for value in values]
    return short[0] if len(short) == 1 else short
