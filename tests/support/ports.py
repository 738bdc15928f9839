"""Ports for what cannot be told to take a free one by itself."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

_LEAST = 10_000  # beneath are the services that have a port of their own, and what LocalStack gives out


def unused_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1, on which nobody listens just now.

    They lie beneath those that the system gives to whoever asks for any: else another process of the test run might be
    given one before it is listened on, or between two servers that listen there one after the other.
    """
    with ExitStack() as held:
        return [held.enter_context(_held()).getsockname()[1] for _ in range(count)]


def unused_port() -> int:
    [port] = unused_ports(1)
    return port


def _held() -> socket.socket:
    given_out_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = _LEAST + secrets.randbelow(given_out_from - _LEAST) if given_out_from > _LEAST else 0
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:  # somebody listens there
            continue
