"""What ``kstream produce`` puts through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.aws.clients import client
from kstream.aws.shards import KinesisReader
from kstream.cli.connection import connection, known
from kstream.cli.headers import header_setter
from kstream.core.errors import ConfigurationError, KstreamError
from kstream.ingest.client import IngestClient
from kstream.local.dev_state import running
from kstream.local.direct import direct_client
from kstream.local.door import key

if TYPE_CHECKING:
    from kstream.ingest.auth import SetHeaders, Signer
    from kstream.local.state_dir import StateDir


def why_nothing_was_put(
    state_dir: StateDir, *, stream: str | None, endpoint_url: str | None, region: str | None
) -> str | None:
    """What Kinesis says of the stream, if it says what is wrong. Asked only afterwards: putting needs no such permission."""
    where = connection(state_dir, stream=stream, endpoint_url=endpoint_url, region=region)
    try:
        KinesisReader(client("kinesis", endpoint_url=where.endpoint_url, region=where.region)).describe(where.stream)
    except KstreamError as error:
        return str(error)
    return None


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
    auth: SetHeaders | Signer | None = header_setter(headers)
    if url is None:
        dev = running(state_dir)
        if dev is None:
            raise ConfigurationError(
                f"no --url is given, and no kstream dev runs in {state_dir.path.absolute()}: say where to put, go to "
                "where one runs, or name its directory with --state-dir"
            )
        url, stream, auth = dev.ingest_url, known(stream, dev), auth or key(dev.lock)
    if stream is None:
        raise ConfigurationError("--url needs --stream as well: the name of the stream to put into")
    return IngestClient(url, stream=stream, auth=auth, max_batch_records=batch, max_in_flight=in_flight)
