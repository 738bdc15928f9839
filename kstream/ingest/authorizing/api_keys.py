"""The authorizer for API keys of one's own, without API Gateway's usage plans.

Only hashes are kept. A key is random and long, so one round of SHA-256 is enough: there is no dictionary to try.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizer import Authorizer
from kstream.ingest.authorizing.decisions import Deny, Grant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kstream.ingest.authorizing.decisions import AllStreams
    from kstream.ingest.authorizing.request import AuthorizationRequest

MIN_KEY_CHARACTERS: Final = 20
"""API Gateway's own least length of a key's value."""

_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")


def new_api_key() -> str:
    """A key of 256 random bits. Show it once, and keep ``hash_api_key`` of it."""
    return secrets.token_urlsafe(32)


def hash_api_key(key: str) -> str:
    """``sha256:`` and 64 hexadecimal digits. Raises ``ConfigurationError`` for a key short enough to be guessed."""
    if len(key) < MIN_KEY_CHARACTERS:
        raise ConfigurationError(f"an API key has at least {MIN_KEY_CHARACTERS} characters; new_api_key() makes one")
    return f"sha256:{sha256(key.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who has a key. ``key_hash`` is ``hash_api_key`` of it; two holders of one name are one that changes its key."""

    name: str
    key_hash: str
    streams: Collection[str] | AllStreams

    def __post_init__(self) -> None:
        if not _HASH.fullmatch(self.key_hash):
            raise ConfigurationError(f"the key_hash of {self.name!r} is not one of hash_api_key, like 'sha256:0123...'")
        Grant(self.name, self.streams)  # refuses what could not be granted


class ApiKeyAuthorizer(Authorizer):
    """Lets in whoever has one of the keys, to its holder's streams. Thread-safe.

    ``header``  where the key is in a REQUEST event; in a TOKEN event it is the token itself.

    How long it takes does not tell which key was nearly right: all are compared, by their hashes, each in constant time.
    """

    def __init__(self, holders: Iterable[KeyHolder], *, header: str = "x-api-key") -> None:
        self._holders = tuple(holders)
        self._header = header.lower()
        if not self._holders:
            raise ConfigurationError("an ApiKeyAuthorizer has at least one KeyHolder")
        if len({holder.key_hash for holder in self._holders}) < len(self._holders):
            raise ConfigurationError("two KeyHolders have the same key; each has its own")

    def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
        key = request.bearer_token() if request.type == "TOKEN" else request.headers.get(self._header)
        if not key:
            return Deny("there is no API key", status=401)
        holder = self._holder(key)
        if holder is None:
            return Deny("the API key is nobody's", status=401)
        return Grant(holder.name, holder.streams)

    def _holder(self, key: str) -> KeyHolder | None:
        offered = f"sha256:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
        found = None
        for holder in self._holders:
            if hmac.compare_digest(holder.key_hash, offered):
                found = holder
        return found
