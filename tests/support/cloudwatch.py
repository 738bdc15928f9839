"""CloudWatch, as far as it reads metrics out of log lines: written from its specification, and from nothing in kstream.

"Specification: Embedded metric format" in the CloudWatch user guide; names, values and namespaces as PutMetricData takes
them. What CloudWatch would drop or refuse is a ``Refused`` here.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonschema import Draft7Validator

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = json.loads((Path(__file__).parent.parent / "golden" / "emf" / "schema.json").read_text())
_VALIDATOR = Draft7Validator(SCHEMA)
_MOST_BYTES = 1024 * 1024


class Refused(Exception):
    """No metrics are made of this line."""


class Series(NamedTuple):
    """What CloudWatch keeps values under."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Point:
    series: Series
    unit: str
    timestamp: int
    values: tuple[float, ...]


def read(line: str) -> list[Point]:
    """The values that CloudWatch makes of one line."""
    if len(line.encode()) > _MOST_BYTES:
        raise Refused("a log event has 1 MB at most")
    document = json.loads(line, parse_constant=_no_number, object_pairs_hook=_without_repetition)
    for fault in _VALIDATOR.iter_errors(document):
        raise Refused(f"{fault.json_path}: {fault.message}"[:500])
    points = []
    for directive in document["_aws"]["CloudWatchMetrics"]:
        points += _read_directive(directive, document)
    return points


def total(points: Iterable[Point], name: str) -> float:
    """CloudWatch's Sum."""
    return math.fsum(value for point in points if point.series.name == name for value in point.values)


def values(points: Iterable[Point], name: str) -> list[float]:
    return sorted(value for point in points if point.series.name == name for value in point.values)


def _read_directive(directive: dict[str, Any], document: dict[str, Any]) -> Iterable[Point]:
    namespace = directive["Namespace"]
    if not re.fullmatch(r"(?!AWS/)[^:][0-9A-Za-z.\-_/#: ]{0,254}", namespace):
        raise Refused(f"the namespace {namespace!r}")
    if len(directive["Metrics"]) > 100:
        raise Refused("a directive has 100 metrics at most")
    names = [metric["Name"] for metric in directive["Metrics"]]
    if len(set(names)) < len(names):
        raise Refused("a metric stands there twice")
    for metric in directive["Metrics"]:
        name = metric["Name"]
        if not re.fullmatch(r"[ -~]{1,255}", name) or name != name.strip():
            raise Refused(f"the metric's name {name!r}")
        if name not in document:
            raise Refused(f"no target {name}")
        target = document[name]
        numbers = target if isinstance(target, list) else [target]
        if not 1 <= len(numbers) <= 100:
            raise Refused(f"{name} has {len(numbers)} values")
        for number in numbers:
            if type(number) not in (int, float) or not -(2**360) <= number <= 2**360:
                raise Refused(f"{name} is {number!r}")
        for keys in directive["Dimensions"]:
            dimensions = tuple((key, _dimension(document, key)) for key in keys)
            yield Point(
                Series(namespace, name, dimensions),
                metric.get("Unit", "None"),
                document["_aws"]["Timestamp"],
                tuple(map(float, numbers)),
            )


def _dimension(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not re.fullmatch(r"[ -~]{1,1024}", value) or not value.strip():
        raise Refused(f"the dimension {key} is {value!r}")
    return value


def _no_number(text: str) -> None:
    raise Refused(f"{text} is no JSON")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise Refused("a member stands there twice")
    return dict(pairs)
