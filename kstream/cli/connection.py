"""Which stream a command works on: the one that was named, or that of the pipeline running here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.local.dev_state import running

if TYPE_CHECKING:
    from kstream.local.dev_state import DevState
    from kstream.local.state_dir import StateDir


@dataclass(frozen=True, slots=True)
class Connection:
    """``endpoint_url`` and ``region`` as ``kstream.aws.clients.client`` reads them."""

    stream: str
    endpoint_url: str | None
    region: str | None

    def __str__(self) -> str:
        return f"stream {self.stream} at {self.endpoint_url or 'AWS'}"


def known(stream: str | None, dev: DevState) -> str:
    """A stream of the running pipeline; by default its first. Raises ``ConfigurationError`` for another."""
    if stream is not None and stream not in dev.streams:
        raise ConfigurationError(
            f"the running kstream dev has only {', '.join(dev.streams)}, and no {stream!r}: check --stream; for a stream "
            "elsewhere, give --region or --endpoint-url as well"
        )
    return stream or dev.streams[0]


def connection(state_dir: StateDir, *, stream: str | None, endpoint_url: str | None, region: str | None) -> Connection:
    """What was named, completed by the ``kstream dev`` of this state directory unless an address or region was given.

    Raises ``ConfigurationError`` if that leaves no stream, or one that the ``kstream dev`` has not: a mistyped name must
    not lead to AWS.
    """
    dev = None if endpoint_url or region else running(state_dir)
    if dev is not None:
        return Connection(known(stream, dev), dev.endpoint_url, None)
    if stream is None:
        raise ConfigurationError(
            f"no stream is named, and no kstream dev runs in {state_dir.path.absolute()}: give --stream NAME, go to where "
            "one runs, or name its directory with --state-dir"
        )
    return Connection(stream, endpoint_url, region)
