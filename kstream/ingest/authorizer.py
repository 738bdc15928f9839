"""The authorizer of the ingest API: subclass it, say who may put into which streams, and deploy it as a Lambda.

    class Producers(Authorizer):
        def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
            producer = registry.get(request.bearer_token())
            if producer is None:
                return Deny("no such producer", status=401)
            return Grant(producer.name, streams=producer.streams)

    lambda_handler = Producers().as_lambda()

``JwtAuthorizer`` and ``ApiKeyAuthorizer`` are ready ones.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from kstream.ingest.authorizing.decisions import ALL_STREAMS, Deny, Grant
from kstream.ingest.authorizing.function import AuthorizerFunction, AuthorizerUnavailable
from kstream.ingest.authorizing.request import AuthorizationRequest

__all__ = ["ALL_STREAMS", "AuthorizationRequest", "Authorizer", "AuthorizerUnavailable", "Deny", "Grant"]


class Authorizer(ABC):
    """Decides who may put. One instance serves a whole Lambda environment; the local gateway calls it on many threads."""

    @abstractmethod
    def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
        """The decision, with *all* streams that the caller may put to: API Gateway keeps it and uses it again.

        May raise ``AuthorizerUnavailable`` where trying again may help (500, not kept). Anything else that it raises
        denies. Never return a grant because something could not be checked.
        """

    def as_lambda(self) -> AuthorizerFunction:
        """The Lambda handler, for TOKEN and REQUEST authorizers alike."""
        return AuthorizerFunction(self)
