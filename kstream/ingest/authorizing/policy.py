"""From a decision to the answer that API Gateway reads.

The answer is kept for the authorizer's time to live and used for *every* method that the same caller calls. So it names
the caller's whole list of streams; one that named the asked method alone would refuse the next stream at random.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from kstream.core.errors import KstreamError
from kstream.ingest.authorizing.decisions import AllStreams, Grant

if TYPE_CHECKING:
    from kstream.ingest.authorizing.arn import MethodArn
    from kstream.ingest.authorizing.decisions import Deny

INVOKE: Final = "execute-api:Invoke"
MAX_ANSWER_BYTES: Final = 8192
"""API Gateway's quota "AWS Lambda authorizer result size". It cannot be raised."""


class AnswerTooLarge(KstreamError):
    """The streams and the context of one caller do not fit into an authorizer's answer."""


def answer(decision: Grant | Deny, arn: MethodArn) -> dict[str, Any]:
    """The policy for a decision. Raises ``AnswerTooLarge``; that is a refusal too, never a shorter list."""
    if not isinstance(decision, Grant):
        return denial(decision.principal, arn)
    if isinstance(decision.streams, AllStreams):
        resources = [_stream_resource(arn, "*")]
    else:
        resources = [_stream_resource(arn, name) for name in sorted(decision.streams)]
    if not resources:
        return denial(decision.principal, arn)
    result = _answer(decision.principal, "Allow", resources)
    if decision.context:
        result["context"] = dict(decision.context)
    if decision.usage_key is not None:
        result["usageIdentifierKey"] = decision.usage_key
    size = len(json.dumps(result, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_ANSWER_BYTES:
        raise AnswerTooLarge(
            f"the answer for {len(resources)} streams has {size:,} bytes, and API Gateway takes {MAX_ANSWER_BYTES:,}; "
            "grant ALL_STREAMS, or split the streams over several APIs"
        )
    return result


def denial(principal: str, arn: MethodArn | None) -> dict[str, Any]:
    """Refuses everything; without an ARN, everything there is."""
    return _answer(principal, "Deny", ["*" if arn is None else f"{arn.stage_arn}/*"])


def _stream_resource(arn: MethodArn, name: str) -> str:
    # One entry for both operations: ".../records" and ".../records/batch". Nothing else begins like that.
    return f"{arn.stage_arn}/POST/streams/{name}/records*"


def _answer(principal: str, effect: Literal["Allow", "Deny"], resources: list[str]) -> dict[str, Any]:
    statement = {"Action": INVOKE, "Effect": effect, "Resource": resources}
    return {"principalId": principal, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
