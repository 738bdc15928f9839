"""A stream in memory behind the gateway's port, and the gateway behind httpx without a network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx

from kstream.aws.stream_writer import FailureKind, NotWritten, Written
from kstream.ingest.http import Head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.aws.stream_writer import Entry, EntryResult
    from kstream.ingest.http import Application

CODES = {
    FailureKind.THROTTLED: "ProvisionedThroughputExceededException",
    FailureKind.INTERNAL: "InternalFailure",
    FailureKind.INVALID: "ValidationException",
    FailureKind.OTHER: "ResourceNotFoundException",
}


def not_written(kind: FailureKind) -> NotWritten:
    return NotWritten(
        kind, CODES[kind], "Rate exceeded for shard shardId-000000000000 in stream orders under account 1"
    )


class MemoryStreams:
    """The port ``PutRecords``. ``fault(call, index, entry)`` says how a record fails, calls counted from 0."""

    def __init__(self, fault: Callable[[int, int, Entry], FailureKind | None] = lambda *_: None) -> None:
        self.fault = fault
        self.calls: list[tuple[str, list[Entry]]] = []
        self._taken: dict[str, list[Entry]] = {}
        self._lock = threading.Lock()

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[EntryResult]:
        with self._lock:
            call = len(self.calls)
            self.calls.append((stream, list(entries)))
            return [self._take(stream, entry, self.fault(call, index, entry)) for index, entry in enumerate(entries)]

    def taken(self, stream: str = "orders") -> list[Entry]:
        return list(self._taken.get(stream, []))

    def _take(self, stream: str, entry: Entry, fault: FailureKind | None) -> EntryResult:
        if fault is not None:
            return not_written(fault)
        records = self._taken.setdefault(stream, [])
        records.append(entry)
        return Written(str(len(records)), "shardId-000000000000")


class InProcess(httpx.BaseTransport):
    """The application, called as a server would. ``before(n)`` may raise instead of the n-th request being served,
    ``after(n)`` instead of its answer arriving."""

    def __init__(
        self,
        application: Application,
        before: Callable[[int], None] = lambda _: None,
        after: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._application = application
        self._before = before
        self._after = after
        self.requests: list[httpx.Request] = []
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
        self._before(number)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers.raw}
        head = Head(request.method, request.url.path, headers, f"request-{number}")
        response = self._application.handle(head, request.read())
        self._after(number)
        return httpx.Response(
            response.status, headers={"content-type": response.content_type, **response.headers}, content=response.body
        )
