"""A Lambda authorizer, called as API Gateway calls it.

What is kept and what is not (developer guide, "Use API Gateway Lambda authorizers"): an answer with a policy, Allow or
Deny alike, for ``result_ttl`` seconds; an error never. So a caller whose right is taken away stays in for that long.
"""

from __future__ import annotations

import copy
import logging
import re
from typing import TYPE_CHECKING, Any, Literal

from kstream.clock import SystemClock
from kstream.core.errors import ConfigurationError
from kstream.ingest.enforcing.answers import AnswerError, AuthorizerAnswer
from kstream.ingest.enforcing.call import Kind, LocalApi, Refused
from kstream.ingest.enforcing.evaluation import Effect, PolicyError
from kstream.ingest.enforcing.events import request_event, token_event
from kstream.ingest.enforcing.identity import IdentitySources
from kstream.ingest.enforcing.kept_answers import KeptAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.core.ports import Clock
    from kstream.ingest.enforcing.call import Allowed, Call, Verdict

_log = logging.getLogger(__name__)


class LambdaLock:
    """A ``Lock``.

    ``handler``           the function: called with the event and None. It must be thread-safe.
    ``type``              TOKEN or REQUEST.
    ``identity_sources``  ``method.request.header.Authorization`` and the like; TOKEN has exactly one, a header. A request
                          that lacks one is 401, and the function is not called.
    ``validation``        TOKEN: a regular expression that the whole token must match; else 401 likewise.
    ``result_ttl``        seconds, 0 to 3600.

    Raises ``ConfigurationError`` for what API Gateway would not accept.
    """

    def __init__(
        self,
        handler: Callable[[dict[str, Any], Any], object],
        *,
        type: Literal["TOKEN", "REQUEST"] = "REQUEST",  # noqa: A002 - API Gateway's word
        identity_sources: Sequence[str] = ("method.request.header.Authorization",),
        validation: str | None = None,
        result_ttl: float = 300.0,
        api: LocalApi | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 0 <= result_ttl <= 3600:
            raise ConfigurationError(f"an authorizer's result_ttl is {result_ttl}; API Gateway takes 0 to 3600 seconds")
        if type == "TOKEN" and (
            len(identity_sources) != 1 or not identity_sources[0].startswith("method.request.header.")
        ):
            raise ConfigurationError("a TOKEN authorizer has one identity source, a header")
        if type == "REQUEST" and not identity_sources and result_ttl:
            raise ConfigurationError("a REQUEST authorizer without identity sources cannot keep answers: result_ttl=0")
        if validation is not None and type != "TOKEN":
            raise ConfigurationError("only a TOKEN authorizer has a validation expression")
        self._handler = handler
        self._type = type
        self._sources = IdentitySources(identity_sources)
        self._validation = None if validation is None else re.compile(validation)
        self._api = api or LocalApi()
        self._kept = KeptAnswers(result_ttl, clock or SystemClock())

    def check(self, call: Call, scopes: Sequence[str], before: Allowed) -> Verdict:  # noqa: ARG002 - a lock's signature
        identity = self._sources.values(call)
        if identity is None:
            return Refused(Kind.UNAUTHORIZED, "Unauthorized", absent=True)
        if self._validation is not None and not self._validation.fullmatch(identity[0]):
            return Refused(Kind.UNAUTHORIZED, "Unauthorized")
        answer = self._kept.get(identity)
        if answer is None:
            asked = self._ask(call, identity)
            if isinstance(asked, Refused):
                return asked
            answer = asked
            self._kept.keep(identity, answer)
        effect = answer.policy.effect(self._api.method_arn(call.method, call.resource))
        if effect is Effect.ALLOW:
            return answer.allowed
        explicit = " with an explicit deny" if effect is Effect.EXPLICIT_DENY else ""
        return Refused(Kind.ACCESS_DENIED, f"User is not authorized to access this resource{explicit}")

    def _ask(self, call: Call, identity: tuple[str, ...]) -> AuthorizerAnswer | Refused:
        token = self._type == "TOKEN"
        event = token_event(call, self._api, identity[0]) if token else request_event(call, self._api)
        try:
            returned = self._handler(copy.deepcopy(event), None)
        except BaseException as error:  # noqa: BLE001 - user code, SystemExit included; it ends in a refusal
            if isinstance(error, Exception) and str(error) == "Unauthorized":
                return Refused(Kind.UNAUTHORIZED, "Unauthorized")
            # Without its text, which may hold the token.
            _log.error("the Lambda authorizer raised %s", type(error).__name__)
            return Refused(Kind.AUTHORIZER_FAILURE, "Internal server error")
        try:
            return AuthorizerAnswer.parse(returned)
        except (AnswerError, PolicyError) as error:
            _log.error("the Lambda authorizer's answer is refused: %s", error)
            return Refused(Kind.AUTHORIZER_CONFIGURATION_ERROR, "Internal server error")
