"""What ``kstream produce`` puts through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.cli.connection import connection
from kstream.cli.headers import header_setter
from kstream.core.errors import ConfigurationError
from kstream.ingest.client import IngestClient
from kstream.local.dev_state import running
from kstream.local.direct import direct_client

if TYPE_CHECKING:
    from kstream.local.state_dir import StateDir


def ingest_client(
    state_dir: StateDir,
    *,
    stream: str | None,
    url: str | None,
    headers: list[str],
    direct: bool,
    endpoint_url: str | None,
    region: str | None,
    batch: int,
    in_flight: int,
) -> IngestClient:
    """The API that was named, or that of the ``kstream dev`` running here; or, ``direct``, Kinesis itself.

    Raises ``ConfigurationError`` if neither a URL was given nor a pipeline runs here.
    """
    if direct:
        where = connection(state_dir, stream=stream, endpoint_url=endpoint_url, region=region)
        return direct_client(
            where.stream,
            endpoint_url=where.endpoint_url,
            region=where.region,
            max_batch_records=batch,
            max_in_flight=in_flight,
        )
    if url is None:
        dev = running(state_dir)
        if dev is None:
            raise ConfigurationError(
                f"no --url is given, and no kstream dev runs in {state_dir.path}: start one, or say where to put"
            )
        url, stream = dev.ingest_url, stream or dev.streams[0]
    if stream is None:
        raise ConfigurationError("--url needs --stream as well: the name of the stream to put into")
    return IngestClient(
        url, stream=stream, auth=header_setter(headers), max_batch_records=batch, max_in_flight=in_flight
    )
