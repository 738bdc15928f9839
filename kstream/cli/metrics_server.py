"""The numbers of a consumer that runs on this machine, for Prometheus to fetch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.metrics import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from kstream.cli.tally import Tally

_HOST = "127.0.0.1"


class RunnerNumbers:
    """A collector of what only the runner knows: what the mapping gave up, and how far behind it reads."""

    def __init__(self, tally: Tally, labels: tuple[str, str, str]) -> None:
        self._tally = tally
        self._labels = labels

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counts = self._tally.counts
        discarded = CounterMetricFamily(
            "kstream_records_discarded", "Kinesis records that the mapping gave up", labels=DIMENSIONS
        )
        discarded.add_metric(self._labels, counts.discarded)
        yield discarded
        if counts.iterator_age is not None:
            age = GaugeMetricFamily(
                "kstream_iterator_age_seconds", "age of the last batch's last record", labels=DIMENSIONS
            )
            age.add_metric(self._labels, counts.iterator_age)
            yield age


@contextmanager
def served(registry: CollectorRegistry, port: int) -> Iterator[str]:
    """Serves it at ``port`` of this machine, at any free one for 0, and says where. Raises ``ConfigurationError`` if it
    cannot."""
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, addr=_HOST, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            f"cannot serve metrics at {_HOST}:{port} ({error.strerror}): give another --metrics-port, or 0 for a free one"
        ) from None
    try:
        yield f"http://{_HOST}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
