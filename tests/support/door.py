"""Requests to a locked door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.ingest.enforcing.call import Allowed, Call, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.ingest.enforcing.call import Kind, Lock, Verdict

LOCAL_STAGE = "arn:aws:execute-api:us-east-1:000000000000:local/local"


def call_to(path: str = "/streams/orders/records", *, method: str = "POST", **fields: Any) -> Call:
    return Call(method, path, fields.pop("headers", {}), **fields)


def bearing(token: str | None, path: str = "/streams/orders/records", **headers: str) -> Call:
    given = {} if token is None else {"authorization": token}
    return call_to(path, headers={**given, **headers})


def policy(effect: str, *resources: str, **fields: Any) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": list(resources)}
    return {"principalId": "shop", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, **fields}


class Function:
    """A Lambda authorizer that answers as it is told, and remembers its events."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        self.events.append(event)
        return self.answer(event)


def check(lock: Lock, call: Call) -> Verdict:
    return lock.check(call, [], Allowed())


def kind(verdict: Verdict) -> Kind | None:
    """Why it was refused; None if it was not."""
    return verdict.kind if isinstance(verdict, Refused) else None
