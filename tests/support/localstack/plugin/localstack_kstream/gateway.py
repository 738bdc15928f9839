"""LocalStack's gateway on the address that it is told, and on no other.

Its own server takes the port of ``GATEWAY_LISTEN`` and, for IPv4, forgets the address. This one also speaks plain HTTP
only, and fails at once if the port is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from localstack.runtime.server.twisted import TwistedRuntimeServer
from rolo.serving.twisted import TwistedGateway
from twisted.internet import reactor

if TYPE_CHECKING:
    from localstack.config import HostAndPort
    from rolo.gateway import Gateway


class LoopbackServer(TwistedRuntimeServer):  # type: ignore[misc]
    def register(self, gateway: Gateway, listen: list[HostAndPort], ssl_creds: tuple[str, str] | None = None) -> None:
        site = TwistedGateway(gateway)
        for address in listen:
            reactor.listenTCP(address.port, site, interface=address.host)
        Path("listening").touch()  # in the directory that we were started in: our starter waits for it
