"""Metrics for CloudWatch, written to standard output: no client, no calls."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Protocol

from kstream.metrics import NAMESPACE
from kstream.telemetry.emf import RESERVED, check_dimension, check_namespace, documents
from kstream.telemetry.numbers import sequence_number
from kstream.telemetry.own_metrics import OwnMetrics
from kstream.telemetry.per_batch import PerBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.telemetry.per_batch import BatchNumbers

_log = logging.getLogger("kstream")


class Metrics(PerBatch):
    """The numbers of each batch as a line in CloudWatch's embedded metric format, or several where one is too small.

    ``service``    the metrics' dimension of that name, beside the stream's and the consumer's.
    ``consumer``   the dimension of that name; by default the consumer's own name.
    ``namespace``  theirs in CloudWatch.
    ``write``      takes each document, a line without its end; it must not block. What it raises drops the document. By
                   default they go to standard output, by a thread that is waited for 0.1 seconds at most: where nobody
                   reads, documents are dropped, and their number is in the log and in the next one that gets through.
    ``time``       seconds since the epoch, for tests.

    A batch without records makes none. What a handler counts and times goes out with its batch; what a thread counts that
    outlived its batch, with the next one. At most 100 names of a handler's own in a batch; one that is no name for
    CloudWatch, or is taken, is dropped with a line in the log. Thread-safe. Raises ``ConfigurationError`` for a name
    or a namespace that CloudWatch would refuse.
    """

    def __init__(
        self,
        *,
        service: str,
        consumer: str | None = None,
        namespace: str = NAMESPACE,
        write: Callable[[str], object] | None = None,
        time: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(time)
        self._service = check_dimension("service", service)
        self._consumer = None if consumer is None else check_dimension("consumer", consumer)
        self._namespace = check_namespace(namespace)
        self._out: _Out | None = None if write is None else _Written(write)
        self._own = OwnMetrics(RESERVED)
        self._cold = True

    def count(self, name: str, value: float) -> None:
        self._own.count(name, value)

    def observe(self, name: str, seconds: float) -> None:
        self._own.observe(name, seconds)

    def measured(self, batch: BatchNumbers) -> None:
        if self._out is None:
            from kstream.telemetry.lines_out import metrics_out

            self._out = metrics_out()
        properties = self._properties(batch, self._out.dropped)
        self._cold = False
        for document in documents(
            {**batch.numbers, **self._own.take()},
            namespace=self._namespace,
            dimensions={
                "service": self._service,
                "stream": batch.context.scope.stream,
                "consumer": self._consumer or batch.context.scope.consumer,
            },
            timestamp=batch.ended_at,
            properties=properties,
        ):
            self._out.put(document)

    def _properties(self, batch: BatchNumbers, dropped: int) -> dict[str, str | int | bool]:
        context, outers = batch.context, batch.context.batch.outers
        properties: dict[str, str | int | bool | None] = {
            "shard": context.scope.shard_id or None,
            "request_id": context.request_id or None,
            "first_sequence_number": sequence_number(outers[0]),
            "last_sequence_number": sequence_number(outers[-1]),
            "checkpoint": batch.outcome.checkpoint,
            "ended": batch.ended,
            "error": batch.error,
            "cold_start": self._cold or None,
            "documents_dropped": dropped or None,
        }
        return {name: value for name, value in properties.items() if value is not None}


class _Out(Protocol):
    @property
    def dropped(self) -> int: ...
    def put(self, line: str, /) -> None: ...


class _Written:
    """A user's own way out."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self.dropped = 0

    def put(self, line: str) -> None:
        try:
            self._write(line)
        except Exception as error:  # noqa: BLE001 - user code; the document counts as dropped
            self.dropped += 1
            if self.dropped == 1:
                _log.error("a document of metrics is dropped: Metrics(write=...) raised", exc_info=error)
