"""What localstack-client's session is to us: it has no types of its own."""

from __future__ import annotations

from typing import Any, Protocol


class Clients(Protocol):
    """Makes boto3 clients that go to one LocalStack."""

    def client(self, service_name: str, **kwargs: Any) -> Any: ...
