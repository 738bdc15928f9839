"""Reading an issuer's public documents over HTTPS, with the standard library: a Lambda package needs nothing more."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from kstream.aws.clients import is_loopback
from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DOCUMENT_BYTES: Final = 150_000
"""As much as API Gateway itself takes from a key set's endpoint (quotas of HTTP APIs)."""

TIMEOUT_SECONDS: Final = 3.0
"""For the connection and for each wait; API Gateway gives an authorizer 10 seconds in all."""


class FetchFailed(Exception):
    """The document could not be read. The message has no more than the address and the kind of failure."""


def checked_url(url: str, what: str) -> str:
    """The URL, if keys may be believed that come from there; else ``ConfigurationError``."""
    parts = urlsplit(url)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))):
        if parts.username or parts.password or parts.fragment:
            raise ConfigurationError(f"{what} has credentials or a fragment in its address; leave them out")
        return url
    raise ConfigurationError(f"{what} is {url!r}; it is an https address (http for a loopback address alone)")


def fetch_json(url: str) -> Any:
    """The JSON document at a checked address. Follows no redirect. Raises ``FetchFailed``."""
    # A proxy named in the environment is for the world outside.
    proxies = [ProxyHandler({})] if is_loopback(url) else []
    opener = build_opener(_NoRedirect, *proxies)
    request = Request(url, headers={"accept": "application/json"})  # noqa: S310 - the scheme is checked
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            status, body = response.status, response.read(MAX_DOCUMENT_BYTES + 1)
    except URLError as error:
        reason = getattr(error, "code", None) or type(error.reason).__name__
        raise FetchFailed(f"{url}: {reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise FetchFailed(f"{url}: {type(error).__name__}") from error
    if status != 200:
        raise FetchFailed(f"{url}: status {status}")
    if len(body) > MAX_DOCUMENT_BYTES:
        raise FetchFailed(f"{url}: more than {MAX_DOCUMENT_BYTES:,} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FetchFailed(f"{url}: no JSON") from error


def key_set_at(url: str) -> Callable[[], Any]:
    """A function that reads the key set at this address. Raises ``ConfigurationError`` for an address of no trust."""
    checked = checked_url(url, "the key set")
    return lambda: fetch_json(checked)


def key_set_of(issuer: str) -> Callable[[], Any]:
    """A function that finds the issuer's key set by its discovery document, and reads it (OpenID Connect Discovery)."""
    discovery = checked_url(issuer, "the issuer").rstrip("/") + "/.well-known/openid-configuration"

    def read() -> Any:
        document = fetch_json(discovery)
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise FetchFailed(f"{discovery}: it is another issuer's document")
        try:
            return fetch_json(checked_url(str(document.get("jwks_uri")), "jwks_uri"))
        except ConfigurationError as error:
            raise FetchFailed(f"{discovery}: {error}") from error

    return read


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirect is an error: keys come from the address that was named, and from nowhere else."""
