"""Signing requests to API Gateway with AWS credentials: Signature Version 4, by botocore."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from kstream.aws.clients import LOOPBACK_REGION, is_loopback
from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_API_HOST = re.compile(r"[\w-]+\.execute-api(?:-fips)?\.([\w-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)")
_LOCAL_CREDENTIAL = "test"
_SIGNED = re.compile(r"host|content-type|x-(?!amzn?-).*")


@dataclass(frozen=True, slots=True)
class _Keys:
    """Credentials as botocore reads them, without botocore."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def get_frozen_credentials(self) -> Self:
        return self


class SigV4:
    """Auth for an operation with ``iam``. Thread-safe. Nothing of botocore is imported before the first request.

    ``region``       of the API; else read from its address, else the session's.
    ``profile``      of the shared configuration; else botocore finds credentials in its usual places and renews them.
    ``credentials``  botocore's, in place of all that.

    For an address on this machine without credentials in the environment, test credentials stand in, and never elsewhere.
    Raises ``ConfigurationError`` when signing, if there are no credentials or no region.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        profile: str | None = None,
        credentials: Any = None,
        service: str = "execute-api",
    ) -> None:
        self._region = region
        self._profile = profile
        self._given = credentials
        self._service = service
        self._lock = threading.Lock()
        self._session: Any = None
        self._found: Any = None

    @classmethod
    def with_keys(
        cls, access_key: str, secret_key: str, *, session_token: str | None = None, region: str | None = None
    ) -> Self:
        """With these credentials, whatever the environment has. They are not renewed."""
        return cls(region=region, credentials=_Keys(access_key, secret_key, session_token))

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers that sign this request. Signed are the body, the host, and what decides about the record; nothing that
        a proxy on the way may write anew, as X-Amzn-Trace-Id."""
        _require_botocore()
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        signed = {name: value for name, value in headers.items() if _SIGNED.fullmatch(name.lower())}
        request = AWSRequest(method=method, url=url, data=body, headers=signed)
        credentials = self._credentials(url).get_frozen_credentials()
        SigV4Auth(credentials, self._service, self._region_for(url)).add_auth(request)
        names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
        return {name.lower(): request.headers[name] for name in names if name in request.headers}

    def __repr__(self) -> str:
        return f"SigV4(region={self._region!r}, profile={self._profile!r}, service={self._service!r})"

    def _credentials(self, url: str) -> Any:
        from botocore.credentials import Credentials, EnvProvider

        if self._given is not None:
            return self._given
        if self._profile is None and is_loopback(url) and EnvProvider().load() is None:
            # Never kept: the next address may not be on this machine.
            return Credentials(_LOCAL_CREDENTIAL, _LOCAL_CREDENTIAL)
        with self._lock:
            if self._found is None:
                self._found = self._session_().get_credentials()
            if self._found is None:
                raise ConfigurationError(
                    "no AWS credentials to sign with: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                )
            return self._found

    def _region_for(self, url: str) -> str:
        if self._region is not None:
            return self._region
        host = urlsplit(url).hostname or ""
        if match := _API_HOST.fullmatch(host):
            return match[1]
        with self._lock:
            configured = self._session_().get_config_variable("region")
        if configured:
            return str(configured)
        if is_loopback(url):
            return LOOPBACK_REGION
        raise ConfigurationError(f"the region of the API at {host} is not known: SigV4(region=...)")

    def _session_(self) -> Any:
        # Called under the lock: botocore's session is not thread-safe.
        if self._session is None:
            from botocore.exceptions import BotoCoreError
            from botocore.session import Session

            try:
                self._session = Session(profile=self._profile)
                self._session.get_scoped_config()
            except BotoCoreError as error:
                self._session = None
                raise ConfigurationError(f"SigV4(profile={self._profile!r}): {error}") from error
        return self._session


def _require_botocore() -> None:
    from importlib.util import find_spec

    if find_spec("botocore") is None:
        raise ConfigurationError("SigV4 needs boto3: pip install 'kstream[aws]'")
