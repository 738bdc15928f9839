"""What API Gateway asks a Lambda authorizer, read from its event.

Shapes: API Gateway developer guide, "Input to an API Gateway Lambda authorizer". A TOKEN event has one header's value, a
REQUEST event the whole request without its body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kstream.core.errors import EventError
from kstream.ingest.authorizing.arn import MethodArn

_SECRET_HEADERS = ("authorization", "x-api-key", "cookie", "x-amz-security-token")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Who asks for what. Its ``repr`` shows nothing that the caller sent.

    ``type``        of the event. A TOKEN event has no headers, query and source address.
    ``method_arn``  the method that is called; its ``stream`` is the one to put to. The answer is cached and used for
                    other methods too, so a decision names *all* streams that the caller may put to.
    ``token``       TOKEN: the authorization token as it was sent; REQUEST: the header ``Authorization``. None if absent.
    ``headers``     names in lower case; of repeated ones the last.
    ``query``       of repeated names the last.
    """

    type: Literal["TOKEN", "REQUEST"]
    method_arn: MethodArn
    token: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    source_ip: str | None = None

    @classmethod
    def from_event(cls, event: object) -> AuthorizationRequest:
        """Raises ``EventError``, without any of the event's values, for what is no authorizer's event."""
        if not isinstance(event, Mapping) or event.get("type") not in ("TOKEN", "REQUEST"):
            raise EventError("this is no TOKEN or REQUEST event of API Gateway; set the function up as an authorizer")
        arn = MethodArn.parse(event.get("methodArn"))
        if event["type"] == "TOKEN":
            token = event.get("authorizationToken")
            if token is not None and not isinstance(token, str):
                raise EventError("the TOKEN event's authorizationToken is not text")
            return cls("TOKEN", arn, token or None)
        headers = {name.lower(): value for name, value in _texts(event, "headers").items()}
        context = event.get("requestContext")
        identity = context.get("identity") if isinstance(context, Mapping) else None
        source_ip = identity.get("sourceIp") if isinstance(identity, Mapping) else None
        return cls(
            "REQUEST",
            arn,
            headers.get("authorization") or None,
            headers,
            _texts(event, "queryStringParameters"),
            source_ip if isinstance(source_ip, str) else None,
        )

    @property
    def stream(self) -> str | None:
        """The stream that this very request puts to; None for other methods."""
        return self.method_arn.stream

    def bearer_token(self) -> str | None:
        """The token behind ``Bearer``, or a bare one; None if there is none, or something else stands there."""
        words = (self.token or "").split()
        if len(words) == 2 and words[0].lower() == "bearer":
            return words[1]
        return words[0] if len(words) == 1 and words[0].lower() != "bearer" else None

    def withheld(self, text: str) -> str:
        """``text``, or a note in its place if it holds a credential of this request. For logs."""
        sent = [self.token, *(self.headers.get(name) for name in _SECRET_HEADERS), *self.query.values()]
        # The scheme's name is no secret; what stands behind it is. Short words would hide every text.
        secrets = {word for value in sent if value for word in re.split(r"[\s.=,;]+", value) if len(word) > 7}
        return "(withheld: it repeats what the caller sent)" if any(secret in text for secret in secrets) else text


def _texts(event: Mapping[Any, Any], name: str) -> dict[str, str]:
    given = event.get(name)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise EventError(f"the REQUEST event's {name} is not an object")
    return {key: value for key, value in given.items() if isinstance(key, str) and isinstance(value, str)}
