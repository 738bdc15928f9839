"""One AWS client of one object: made at the first use, or given by the user."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

ClientT = TypeVar("ClientT")


class LazyClient(Generic[ClientT]):
    """Thread-safe. Nothing of boto3 is imported before ``get``."""

    def __init__(self, service: str, given: ClientT | None, *, endpoint_url: str | None, region: str | None) -> None:
        self._service = service
        self._client = given
        self._endpoint_url = endpoint_url
        self._region = region
        self._lock = Lock()

    def get(self) -> ClientT:
        """The client. Raises ``ConfigurationError`` if none can be made."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    from kstream.aws.clients import client

                    self._client = client(self._service, endpoint_url=self._endpoint_url, region=self._region)
        assert self._client is not None
        return self._client
