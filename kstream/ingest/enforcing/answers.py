"""Reading what a Lambda authorizer returned, as strictly as API Gateway does."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from kstream.ingest.authorizing.policy import MAX_ANSWER_BYTES
from kstream.ingest.enforcing.call import Allowed
from kstream.ingest.enforcing.evaluation import Policy


class AnswerError(Exception):
    """It is no authorizer's answer: API Gateway says 500 and lets nobody in. The message holds no value of it."""


class AuthorizerAnswer(NamedTuple):
    policy: Policy
    allowed: Allowed

    @classmethod
    def parse(cls, returned: object) -> AuthorizerAnswer:
        """Raises ``AnswerError``, or ``PolicyError``."""
        try:
            # What a Lambda returns travels as JSON.
            text = json.dumps(returned, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise AnswerError("the answer has no JSON form") from None
        if len(text) > MAX_ANSWER_BYTES:
            raise AnswerError(f"the answer has {len(text):,} bytes; API Gateway takes {MAX_ANSWER_BYTES:,}")
        answer = json.loads(text)
        if not isinstance(answer, dict):
            raise AnswerError("the answer is no object")
        principal = answer.get("principalId")
        if not isinstance(principal, str) or not principal:
            raise AnswerError("the answer has no principalId")
        usage_key = answer.get("usageIdentifierKey")
        if usage_key is not None and not isinstance(usage_key, str):
            raise AnswerError("the answer's usageIdentifierKey is no text")
        context = answer.get("context")
        if context is not None and not isinstance(context, dict):
            raise AnswerError("the answer's context is no object")
        texts = {key: _text(key, value) for key, value in (context or {}).items()}
        return cls(Policy.parse(answer.get("policyDocument")), Allowed(texts | {"principalId": principal}, usage_key))


def _text(key: str, value: Any) -> str:
    # API Gateway hands every value on as text: 1 as "1", true as "true".
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise AnswerError(f"the answer's context[{key!r}] is neither text, number nor boolean")
