"""An authorizer as a Lambda function. It fails closed: whatever goes wrong, nobody gets in.

========================================  ==========================================================================
``Grant``                                 a policy that allows
``Deny``, status 403                      a policy that denies: 403, kept by API Gateway like any answer
``Deny``, status 401                      the error "Unauthorized", word for word: 401, not kept
``AuthorizerUnavailable``                 an error: 500, not kept. For what passes, a key server that does not answer,
                                          so that a good token is not shut out for as long as a denial is kept
any other exception, any other value      a policy that denies
========================================  ==========================================================================
"""

from __future__ import annotations

import inspect
import logging
import traceback
from typing import TYPE_CHECKING, Any

from kstream.core.errors import ConfigurationError, EventError, KstreamError
from kstream.ingest.authorizing.decisions import Deny, Grant
from kstream.ingest.authorizing.policy import AnswerTooLarge, answer, denial
from kstream.ingest.authorizing.request import AuthorizationRequest

if TYPE_CHECKING:
    from kstream.ingest.authorizer import Authorizer

_log = logging.getLogger(__name__)


class AuthorizerUnavailable(KstreamError):
    """It cannot be told just now whether to let the caller in. Nobody gets in; trying again may help."""


class Unauthorized(Exception):
    """What makes API Gateway answer 401: it looks for this message and no other."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class AuthorizerFunction:
    """What ``Authorizer.as_lambda()`` returns: call it with Lambda's event and context.

    As thread-safe as the authorizer. Logs decisions, and where something raised; never a token, an exception's text, or
    any other value that the caller sent.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        if inspect.iscoroutinefunction(authorizer.authorize):
            raise ConfigurationError(f"{type(authorizer).__name__}.authorize is async; an authorizer answers at once")
        self._authorizer = authorizer

    def __call__(self, event: Any, context: Any = None) -> dict[str, Any]:  # noqa: ARG002 - Lambda gives it
        try:
            request = AuthorizationRequest.from_event(event)
        except EventError as error:
            _log.error("denied: %s", error)
            return denial("unknown", None)
        decision = self._decide(request)
        if isinstance(decision, Deny):
            _log.info("denied (%d): %s", decision.status, request.withheld(decision.reason))
            if decision.status == 401:
                raise Unauthorized
        try:
            return answer(decision, request.method_arn)
        except AnswerTooLarge as error:
            _log.error("denied: %s", error)
            return denial(decision.principal, request.method_arn)

    def _decide(self, request: AuthorizationRequest) -> Grant | Deny:
        name = type(self._authorizer).__name__
        try:
            decision: object = self._authorizer.authorize(request)
        except AuthorizerUnavailable as error:
            text = request.withheld(str(error))
            _log.warning("nobody gets in just now: %s", text)
            raise AuthorizerUnavailable(text) from None
        except BaseException as error:  # noqa: BLE001 - user code, SystemExit included; it ends in a refusal
            # Neither its text nor its cause: either may hold the token.
            _log.error("%s.authorize raised %s at %s", name, type(error).__name__, _place(error))
            return Deny(f"{name}.authorize raised {type(error).__name__}")
        if isinstance(decision, Grant | Deny):
            return decision
        _log.error("%s.authorize returned %s; it returns Grant or Deny", name, type(decision).__name__)
        return Deny("no decision")


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
