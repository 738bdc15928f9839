"""``iam``: SigV4 against credentials that are configured for tests, and the IAM policy of whoever has them."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kstream.clock import SystemClock
from kstream.core.errors import ConfigurationError
from kstream.ingest.authorizing.policy import INVOKE
from kstream.ingest.enforcing.call import Allowed, Kind, LocalApi, Refused
from kstream.ingest.enforcing.evaluation import Effect, Policy, PolicyError
from kstream.ingest.enforcing.sigv4 import Signature, SignatureRefused, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kstream.core.ports import Clock
    from kstream.ingest.enforcing.call import Call, Verdict

_log = logging.getLogger(__name__)

EVERYTHING: Final[Mapping[str, Any]] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": INVOKE, "Resource": "*"}],
}


@dataclass(frozen=True, slots=True)
class LocalCredentials:
    """Somebody who may sign, and the identity policy that says what for. For tests: never real credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    policy: Mapping[str, Any] = field(default_factory=lambda: EVERYTHING)


class IamLock:
    """A ``Lock``. Raises ``ConfigurationError`` for a policy that cannot be evaluated here."""

    def __init__(
        self,
        credentials: Iterable[LocalCredentials],
        *,
        api: LocalApi | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._api = api or LocalApi()
        self._clock: Clock = clock or SystemClock()
        self._known: dict[str, tuple[LocalCredentials, Policy]] = {}
        for one in credentials:
            try:
                self._known[one.access_key] = (one, Policy.parse(dict(one.policy)))
            except PolicyError as error:
                raise ConfigurationError(f"the policy of {one.access_key}: {error}") from error

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:  # noqa: ARG002 - a lock's signature
        authorization = call.headers.get("authorization", "")
        if not authorization.startswith("AWS4-"):
            return Refused(Kind.MISSING_AUTHENTICATION_TOKEN, "Missing Authentication Token", absent=True)
        try:
            signature = Signature.parse(authorization)
            credentials, policy = self._credentials(call, signature)
            now = self._clock.time()
            verify(call, signature, credentials.secret_key, region=self._api.region, service="execute-api", now=now)
        except SignatureRefused as refused:
            _log.info("a signature is refused: %s", refused)
            return Refused(Kind.INVALID_SIGNATURE, str(refused))
        if policy.effect(self._api.method_arn(call.method, call.resource)) is not Effect.ALLOW:
            return Refused(Kind.ACCESS_DENIED, "User is not authorized to access this resource")
        return Allowed({"principalId": credentials.access_key})

    def _credentials(self, call: Call, signature: Signature) -> tuple[LocalCredentials, Policy]:
        known = self._known.get(signature.access_key)
        if known is None:
            raise SignatureRefused("the access key is not known")
        offered = call.headers.get("x-amz-security-token", "").encode("latin-1", "replace")
        if not hmac.compare_digest(offered, (known[0].session_token or "").encode()):
            raise SignatureRefused("the security token is not that of the access key")
        return known
