"""``api_key``: API Gateway's own keys with their usage plans. They count and throttle; alone they are a weak lock."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from kstream.clock import SystemClock
from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.api_keys import hash_api_key
from kstream.ingest.enforcing.call import Allowed, Kind, Refused
from kstream.ingest.enforcing.usage_plan import Meter, UsagePlan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kstream.core.ports import Clock
    from kstream.ingest.enforcing.call import Call, Verdict


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """A key, by ``hash_api_key`` of it, and its plan."""

    name: str
    key_hash: str
    plan: UsagePlan = field(default_factory=UsagePlan)

    @classmethod
    def of(cls, name: str, key: str, plan: UsagePlan | None = None) -> PlannedKey:
        return cls(name, hash_api_key(key), plan or UsagePlan())


class ApiKeyLock:
    """A ``Lock``. ``source``: the header ``X-API-Key``, or the ``usageIdentifierKey`` of the Lambda authorizer that the
    requirement names beside it (``apiKeySource``)."""

    def __init__(
        self,
        keys: Iterable[PlannedKey],
        *,
        source: Literal["HEADER", "AUTHORIZER"] = "HEADER",
        clock: Clock | None = None,
    ) -> None:
        used: Clock = clock or SystemClock()
        self._source = source
        self._meters = [(key, Meter(key.plan, used)) for key in keys]
        if not self._meters:
            raise ConfigurationError("the usage plan has no API key; nobody could get in")

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:  # noqa: ARG002 - a lock's signature
        offered = before.usage_key if self._source == "AUTHORIZER" else call.headers.get("x-api-key")
        if not offered:
            return Refused(Kind.INVALID_API_KEY, "Forbidden", absent=True)
        digest = f"sha256:{sha256(offered.encode('utf-8', 'surrogatepass')).hexdigest()}"
        found = None
        for known in self._meters:
            if hmac.compare_digest(known[0].key_hash, digest):
                found = known
        if found is None:
            return Refused(Kind.INVALID_API_KEY, "Forbidden")
        key, meter = found
        over = meter.count()
        if over is not None:
            return Refused(over, "Too Many Requests" if over is Kind.THROTTLED else "Limit Exceeded")
        return Allowed({"principalId": key.name})
