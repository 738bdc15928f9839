"""The pipeline of this machine without its consumer: the embedded Kinesis with its streams, and the ingest API."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

from kstream.aws.clients import client
from kstream.aws.failures import told_as
from kstream.aws.stream_writer import StreamWriter
from kstream.core.errors import ConfigurationError, EmulatorError
from kstream.ingest.contract import checked_stream_name
from kstream.ingest.server import GatewayServer
from kstream.local.door import Lock, gateway
from kstream.local.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from kstream.ingest.http import Application

DEFAULT_PORT = 8080
_LONGEST_RETENTION_HOURS = 8760
_MAX_SHARDS = 10_000


class Pipeline:
    """A context manager: running inside, nothing left running outside. Enter it once.

    ``streams``       made if they are not there, and kept for a year: nothing expires while someone is away.
    ``shards``        of each stream that is made; a stream that is there keeps its own.
    ``emulator_dir``  where the emulator keeps its records over a restart; None for nowhere.
    ``port``          of the ingest API; None for 8080 or, if that is taken, a free one.
    ``kinesis_port``  of the embedded Kinesis; 0 for a free one.
    ``lock``          who may put through the ingest API: everybody, by default.
    ``envelope``      records that come through the ingest API keep the trace headers of their request.
    ``progress``      gets a line before something that takes long, and about what is other than asked.

    Raises ``ConfigurationError`` and ``EmulatorError`` on entering, and the latter on leaving if state was not saved.
    """

    def __init__(
        self,
        streams: Sequence[str],
        *,
        shards: int = 1,
        emulator_dir: Path | None = None,
        port: int | None = None,
        kinesis_port: int = 0,
        lock: Lock = Lock.none,
        envelope: bool = False,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        if not 1 <= shards <= _MAX_SHARDS:
            raise ConfigurationError(f"shards is {shards}: give 1 to {_MAX_SHARDS:,}")
        self.streams = tuple(checked_stream_name(name) for name in streams)
        self._shards = shards
        self._port = port
        self.lock = lock
        self._envelope = envelope
        self._progress = progress
        self._emulator = Emulator(kinesis_port, emulator_dir, progress=progress)
        self._stack = ExitStack()
        self._server: GatewayServer | None = None

    @property
    def endpoint_url(self) -> str:
        """The embedded Kinesis, as an AWS endpoint."""
        return self._emulator.endpoint_url

    @property
    def emulator_pid(self) -> int | None:
        return self._emulator.pid

    @property
    def emulator_alive(self) -> bool:
        """False if the embedded Kinesis has ended by itself."""
        return self._emulator.alive

    @property
    def ingest_url(self) -> str:
        """The base of the ingest API's paths."""
        assert self._server is not None
        return self._server.url

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self._emulator)
            kinesis = client("kinesis", endpoint_url=self.endpoint_url)
            for name in self.streams:
                self._make_stream(kinesis, name)
            put_records = StreamWriter(client=kinesis).put_records
            self._server = self._serve(stack, gateway(self.streams, put_records, self.lock, envelope=self._envelope))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _make_stream(self, kinesis: Any, name: str) -> None:
        with told_as(EmulatorError, f"making stream {name!r} in the embedded Kinesis", needs="", remedies={}):
            with suppress(kinesis.exceptions.ResourceInUseException):  # it is there from an earlier run
                kinesis.create_stream(StreamName=name, ShardCount=self._shards)
            kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
            summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            if summary["RetentionPeriodHours"] < _LONGEST_RETENTION_HOURS:
                kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=_LONGEST_RETENTION_HOURS)
        if summary["OpenShardCount"] != self._shards:
            self._progress(f"Stream {name} is there already, and keeps its {summary['OpenShardCount']} shards")

    def _serve(self, stack: ExitStack, application: Application) -> GatewayServer:
        if self._port is not None:
            return stack.enter_context(GatewayServer(application, port=self._port))
        try:
            return stack.enter_context(GatewayServer(application, port=DEFAULT_PORT))
        except ConfigurationError:
            server = stack.enter_context(GatewayServer(application))
            self._progress(
                f"Port {DEFAULT_PORT} is taken: the ingest API takes {server.port} (--port asks for another)"
            )
            return server
