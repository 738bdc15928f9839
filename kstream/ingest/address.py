"""The address of an ingest API, as whoever puts through it is given it: the base of all its paths."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from kstream.core.errors import ConfigurationError

_LIKE = "it is like 'https://host/stage'"
# ``contract.records_path`` and ``batch_path``, of whatever stream.
_OPERATION = re.compile(r"/streams/[^/]+/records(/batch)?/*")


def checked_address(url: object) -> str:
    """The address, if it is one of HTTP without credentials, query and fragment; else ``ConfigurationError``."""
    if not isinstance(url, str):
        raise ConfigurationError(f"the ingest API's address is {url!r}; {_LIKE}")
    # An address that cannot be taken apart may hold a password all the same.
    shown = "no such address" if "@" in url else repr(url)
    if not url.isprintable() or " " in url:
        # urlsplit would leave line breaks out.
        raise ConfigurationError(f"the ingest API's address is {shown}, with a blank or a line break in it; {_LIKE}")
    try:
        parts = urlsplit(url)
        # As the resolver will; a name with an empty part in it has none.
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise ConfigurationError(f"the ingest API's address is {shown}; {_LIKE}") from None
    if "@" in parts.netloc:
        raise ConfigurationError(
            "the ingest API's address holds credentials, which would show in errors; give them as auth="
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"the ingest API's address is {shown}; {_LIKE}")
    if parts.query or parts.fragment:
        raise ConfigurationError("the ingest API's address has a query or a fragment; " + _LIKE)
    try:
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"the ingest API's address is {url!r}, whose port is none") from None
    if operation := _OPERATION.search(parts.path):
        base = url.removesuffix(parts.path) + parts.path[: operation.start()]
        raise ConfigurationError(
            f"the ingest API's address is {url!r}, which is one stream's: give {base!r}, the paths come behind it"
        )
    return url
