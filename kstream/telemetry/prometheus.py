"""Metrics for Prometheus: the same numbers, kept in a registry until they are fetched."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from kstream import metrics
from kstream.core.errors import ConfigurationError
from kstream.metrics import DIMENSIONS
from kstream.telemetry.own_metrics import MOST_NAMES, Refused, number_fault, plain
from kstream.telemetry.per_batch import PerBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    from kstream.core.telemetry import BatchContext
    from kstream.metrics import Metric
    from kstream.telemetry.per_batch import BatchNumbers

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)
"""Seconds. From one record's work to the age of a record that Kinesis is about to forget."""

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OWN_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,199}")


def prometheus_name(metric: Metric) -> str:
    """What a metric is called there: ``RecordsReceived`` is ``kstream_records_received_total``, and times are in seconds."""
    words = _WORD.sub("_", metric.name).lower()
    return f"kstream_{words}_{'total' if metric.unit == 'Count' else 'seconds'}"


class Prometheus(PerBatch):
    """The numbers of each batch, added up in a registry of prometheus-client, with the labels service, stream, consumer.

    Counts are counters. ``kstream_batch_duration_seconds`` and ``kstream_record_age_seconds`` are histograms (the age has at
    most 100 observations a batch: its order statistics), ``kstream_checkpoint_lag_seconds`` is a gauge of the last batch.
    What a handler counts is the counter ``NAME_total``, what it times the histogram ``NAME_seconds``; both at once.

    ``service``   the label of that name.
    ``registry``  where they are kept; by default a new one. Several consumers of a process may share it.
    ``time``      seconds since the epoch, for tests.

    Thread-safe. Raises ``ConfigurationError`` without prometheus-client: it comes with kstream[prometheus].
    """

    def __init__(
        self,
        *,
        service: str = "local",
        registry: CollectorRegistry | None = None,
        time: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(time)
        self._service = service
        self.registry = _registry_of(registry)
        self._families = _FAMILIES.setdefault(self.registry, Families(self.registry))
        self._labels = (service, "", "")

    def batch_started(self, context: BatchContext) -> None:
        super().batch_started(context)
        if context.batch.outers:
            scope = context.scope
            self._labels = (self._service, scope.stream, scope.consumer)

    def measured(self, batch: BatchNumbers) -> None:
        scope = batch.context.scope
        labels = (self._service, scope.stream, scope.consumer)
        families = self._families
        for metric, values in batch.numbers.items():
            if metric is metrics.CHECKPOINT_LAG:
                families.gauge(metric).labels(*labels).set(values[0] / 1000)
            elif metric.unit == "Count":
                families.counter(metric).labels(*labels).inc(values[0])
            else:
                observe = families.histogram(metric).labels(*labels).observe
                for value in values:
                    observe(value / 1000)

    def count(self, name: str, value: float) -> None:
        counter = self._families.own_counter(name)
        if counter is None:
            return
        if fault := number_fault(value) or (f"counters only go up, and this is {value}" if value < 0 else None):
            self._families.refused.tell(name, fault)
        else:
            counter.labels(*self._labels).inc(value)

    def observe(self, name: str, seconds: float) -> None:
        histogram = self._families.own_histogram(name)
        if histogram is None:
            return
        if fault := number_fault(seconds):
            self._families.refused.tell(name, fault)
        else:
            histogram.labels(*self._labels).observe(seconds)


class Families:
    """The metrics in one registry, each made when it is first needed. Thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = ref(registry)  # whose collectors these are: it may go, and they with it
        self.refused = Refused()
        self._lock = threading.Lock()
        self._ours: dict[Metric, Any] = {}
        self._own: dict[tuple[str, str], Any] = {}

    def counter(self, metric: Metric) -> Counter:
        from prometheus_client import Counter

        return self._of_ours(metric, Counter)  # type: ignore[no-any-return]

    def gauge(self, metric: Metric) -> Gauge:
        from prometheus_client import Gauge

        return self._of_ours(metric, Gauge)  # type: ignore[no-any-return]

    def histogram(self, metric: Metric) -> Histogram:
        from prometheus_client import Histogram

        return self._of_ours(metric, Histogram, buckets=BUCKETS)  # type: ignore[no-any-return]

    def own_counter(self, name: str) -> Counter | None:
        from prometheus_client import Counter

        return self._of_a_handler(Counter, name, "total")  # type: ignore[no-any-return]

    def own_histogram(self, name: str) -> Histogram | None:
        from prometheus_client import Histogram

        return self._of_a_handler(Histogram, name, "seconds", buckets=BUCKETS)  # type: ignore[no-any-return]

    def _of_ours(self, metric: Metric, kind: Any, **more: Any) -> Any:
        with self._lock:
            if (family := self._ours.get(metric)) is None:
                family = self._ours[metric] = kind(
                    prometheus_name(metric), metric.meaning, DIMENSIONS, registry=self._registry(), **more
                )
            return family

    def _of_a_handler(self, kind: Any, name: str, suffix: str, **more: Any) -> Any:
        """None for a name that cannot be."""
        name = plain(name)
        with self._lock:
            try:
                return self._own[name, suffix]
            except KeyError:
                pass
            except TypeError:
                self.refused.tell(name, "a name is text")
                return None
            fault = _name_fault(name, len(self._own))
            if fault is None:
                try:
                    family = kind(
                        f"{name.removesuffix('_' + suffix)}_{suffix}",
                        f"{name}, of a handler's own",
                        DIMENSIONS,
                        registry=self._registry(),
                        **more,
                    )
                except ValueError as error:
                    fault = f"{error}; give it another name"
                else:
                    self._own[name, suffix] = family
                    return family
        self.refused.tell(name, fault)
        return None


def _name_fault(name: object, known: int) -> str | None:
    if not isinstance(name, str) or not _OWN_NAME.fullmatch(name):
        return "for Prometheus, a name is letters, digits and _, at most 200, and begins with no digit"
    if name.startswith("kstream_"):
        return "names with kstream_ in front are kstream's own; give it another one"
    if known >= MOST_NAMES:
        return f"there are {MOST_NAMES} such names at most; put what tells them apart into a log line or an annotation"
    return None


_FAMILIES: WeakKeyDictionary[CollectorRegistry, Families] = WeakKeyDictionary()


def _registry_of(given: object) -> CollectorRegistry:
    try:
        from prometheus_client import CollectorRegistry
    except ImportError as error:
        raise ConfigurationError(
            "Prometheus() needs prometheus-client, which is not installed: pip install kstream[prometheus]"
        ) from error
    if given is None:
        return CollectorRegistry(auto_describe=True)
    if not isinstance(given, CollectorRegistry):
        raise ConfigurationError(f"registry={given!r}: give a prometheus_client.CollectorRegistry, or none")
    return given
