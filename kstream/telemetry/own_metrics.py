"""What handlers count and time of their own, kept until it is told. Bounded, and what cannot be told is refused."""

from __future__ import annotations

import logging
import threading
from array import array
from typing import TYPE_CHECKING

from kstream import metrics
from kstream.metrics import Metric
from kstream.telemetry.numbers import thin

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kstream.telemetry.numbers import Numbers

MOST_NAMES = 100
"""Of a handler's own metrics in one batch. Each costs money; names that are made of keys or ids would be without end."""

LARGEST = 2.0**360
"""CloudWatch takes no number beyond it (PutMetricData, "Values must be in the range of -2^360 to 2^360")."""

_MOST_KEPT = 10_000
_MOST_TOLD = 10

_log = logging.getLogger("kstream")


class OwnMetrics:
    """Thread-safe. Raises nothing: what it refuses is told in the log, once for each name.

    ``reserved``  names that are taken.
    """

    def __init__(self, reserved: Collection[str]) -> None:
        self._reserved = frozenset((*reserved, *(metric.name for metric in metrics.ALL)))
        self._lock = threading.Lock()
        self._counts: dict[str, float] = {}
        self._times: dict[str, Observed] = {}
        self._refused = Refused()

    def count(self, name: str, value: float) -> None:
        name = plain(name)
        with self._lock:
            total = self._counts.get(name) if type(name) is str else None
            fault = self._new_fault(name, self._times) if total is None else None
            if fault is None:
                fault = number_fault(value) or number_fault((total or 0) + value)
            if fault is None:
                self._counts[name] = (total or 0) + value
                return
        self._refused.tell(name, fault)

    def observe(self, name: str, seconds: float) -> None:
        name = plain(name)
        with self._lock:
            observed = self._times.get(name) if type(name) is str else None
            fault = self._new_fault(name, self._counts) if observed is None else None
            if fault is None:
                # They are told in milliseconds.
                fault = number_fault(seconds) or number_fault(seconds * 1000)
            if fault is None:
                if observed is None:
                    observed = self._times[name] = Observed()
                observed.add(float(seconds))
                return
        self._refused.tell(name, fault)

    def take(self) -> Numbers:
        """What came since it was last asked: sums of what was counted, and milliseconds of what was timed."""
        with self._lock:
            counts, self._counts = self._counts, {}
            times, self._times = self._times, {}
        taken: dict[Metric, Sequence[float]] = {
            Metric(name, "Count", ""): (float(total),) for name, total in counts.items()
        }
        for name, observed in times.items():
            taken[Metric(name, "Milliseconds", "")] = tuple(
                round(seconds * 1000, 3) for seconds in thin(observed.values)
            )
        return taken

    def _new_fault(self, name: str, others: Collection[str]) -> str | None:
        if type(name) is not str or not _is_name(name):
            return "a name is 1 to 255 printable ASCII characters, without a blank at its ends and without a colon in front"
        if name in self._reserved:
            return "kstream has a number or a property of that name; give it another one"
        if name in others:
            return "it is counted and timed by the same name; give each its own"
        if len(self._counts) + len(self._times) >= MOST_NAMES:
            return f"a batch has {MOST_NAMES} such names at most; put what tells them apart into a log line or an annotation"
        return None


class Observed:
    """Times, without an end: beyond ``_MOST_KEPT`` every second one is kept, then every fourth; extremes always are."""

    def __init__(self) -> None:
        self._kept = array("d")
        self._every = 1
        self._seen = 0
        self._least = float("inf")
        self._greatest = float("-inf")

    def add(self, value: float) -> None:
        if value < self._least:
            self._least = value
        if value > self._greatest:
            self._greatest = value
        if self._seen % self._every == 0:
            self._kept.append(value)
            if len(self._kept) > _MOST_KEPT:
                self._kept = self._kept[::2]
                self._every *= 2
        self._seen += 1

    @property
    def values(self) -> list[float]:
        values = list(self._kept)
        if self._every > 1:
            values += [self._least, self._greatest]
        return values


class Refused:
    """Tells of a handler's metrics that are dropped: once for each name, and of no more than ``_MOST_TOLD`` names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def tell(self, name: object, fault: str) -> None:
        shown = _shown(name)[:100]
        with self._lock:
            if shown in self._told or len(self._told) >= _MOST_TOLD:
                return
            self._told.add(shown)
            last = len(self._told) == _MOST_TOLD
        _log.warning(
            "the metric %s is dropped: %s%s",
            shown,
            fault,
            ". Of others that are dropped nothing is said" if last else "",
        )


def plain(name: str) -> str:
    """The text of a name that is of a subclass, as an enumeration's is. What is no text stays as it is."""
    # Not str(): of a class Names(str, Enum) it says NAMES.ORDERS.
    return name if type(name) is str or not isinstance(name, str) else str.__str__(name)


def _is_name(text: str) -> bool:
    """1 to 255 printable ASCII characters, no blank at either end and no colon in front."""
    return 1 <= len(text) <= 255 and text.isascii() and text.isprintable() and text == text.strip() and text[0] != ":"


def _shown(given: object) -> str:
    """``repr(given)`` that never raises."""
    try:
        return repr(given)
    except Exception:  # noqa: BLE001 - a __repr__ of the user's, or an integer too long to be written
        return f"<{type(given).__name__}>"


def number_fault(value: object) -> str | None:
    """What is wrong with it, if it cannot be a metric's value."""
    if not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return f"{_shown(value)[:40]} is no number that can be added up; give an int or a float below 2**360"
    return None
