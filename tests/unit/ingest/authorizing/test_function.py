"""The Lambda handler of an authorizer: it fails closed, and says nothing secret."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.errors import ConfigurationError
from kstream.ingest import ALL_STREAMS, Authorizer, AuthorizerUnavailable, Deny, Grant
from tests.support.authorizing import STAGE, request_event, resources, token_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.ingest import AuthorizationRequest

SECRET = "t0ken-that-nobody-may-see"
DENIED = ("Deny", [f"{STAGE}/*"])


class Deciding(Authorizer):
    """Decides as it is told."""

    def __init__(self, decide: Callable[[AuthorizationRequest], Any]) -> None:
        self.decide = decide

    def authorize(self, request: AuthorizationRequest) -> Grant | Deny:
        decision: Grant | Deny = self.decide(request)
        return decision


def call(decide: Callable[[AuthorizationRequest], Any], event: Any = None) -> dict[str, Any]:
    return Deciding(decide).as_lambda()(event or token_event(f"Bearer {SECRET}"), None)


def raising(error: BaseException) -> Callable[[AuthorizationRequest], Any]:
    def decide(_: AuthorizationRequest) -> Any:
        raise error

    return decide


def test_the_readme_s_names_are_in_kstream_ingest() -> None:
    import kstream.ingest

    for name in kstream.ingest.__all__:
        assert getattr(kstream.ingest, name) is not None
        assert name in dir(kstream.ingest)
    with pytest.raises(AttributeError, match="has no attribute 'Autorizer'"):
        _ = kstream.ingest.Autorizer


@pytest.mark.parametrize("event", [token_event("Bearer x"), request_event({"Authorization": "Bearer x"})])
def test_a_grant_is_an_allowing_policy_for_both_kinds_of_event(event: Any) -> None:
    answer = call(lambda request: Grant(request.bearer_token() or "?", ["orders", "clicks"]), event)
    assert answer["principalId"] == "x"
    assert resources(answer)[0] == "Allow"
    assert len(resources(answer)[1]) == 2


def test_a_403_is_a_denying_policy_and_a_401_the_error_that_api_gateway_looks_for() -> None:
    answer = call(lambda _: Deny("suspended", "shop"))
    assert answer["principalId"] == "shop"
    assert resources(answer) == DENIED
    with pytest.raises(Exception, match=r"\AUnauthorized\Z") as caught:
        call(lambda _: Deny("no token", status=401))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "decide",
    [
        raising(ValueError(SECRET)),
        raising(KeyError(SECRET)),
        raising(RecursionError()),
        raising(SystemExit(0)),
        raising(KeyboardInterrupt()),
        raising(GeneratorExit()),
        lambda _: None,
        lambda _: True,
        lambda _: {"principalId": "x"},
        lambda _: Grant("shop", ["*"]),
        lambda _: Grant("shop", ["orders"], {"claims": ["a list"]}),  # type: ignore[dict-item]
        lambda _: Grant("shop", [f"stream-number-{n}" for n in range(500)]),
    ],
)
def test_whatever_goes_wrong_denies(decide: Any) -> None:
    assert resources(call(decide)) == DENIED


@pytest.mark.parametrize("event", [{}, {"type": "TOKEN"}, {"type": "TOKEN", "methodArn": "*"}, [], "x"])
def test_an_event_of_something_else_denies_everything(event: Any) -> None:
    function = Deciding(lambda _: Grant("shop", ALL_STREAMS)).as_lambda()
    assert resources(function(event)) == ("Deny", ["*"])


def test_what_passes_is_an_error_that_is_not_kept() -> None:
    """As a kept denial it would shut out a good token long after the key server is back."""
    with pytest.raises(AuthorizerUnavailable, match="key server") as caught:
        call(raising(AuthorizerUnavailable("the key server does not answer")))
    assert str(caught.value) != "Unauthorized"
    with pytest.raises(AuthorizerUnavailable) as hidden:
        call(raising(AuthorizerUnavailable(f"no key for {SECRET}")))
    assert SECRET not in str(hidden.value)


@pytest.mark.parametrize(
    "decide",
    [
        raising(ValueError(SECRET)),
        raising(SystemExit(SECRET)),
        raising(KeyboardInterrupt(SECRET)),
        raising(AuthorizerUnavailable(SECRET)),
        lambda request: Deny(f"bad token {request.token}"),
        lambda request: Deny(f"bad token {request.bearer_token()}", status=401),
        lambda request: Grant("shop", ["orders"], usage_key=request.bearer_token()),
        lambda request: request.token,
        lambda request: Grant("shop", [f"not a name {request.token}"]),
        lambda request: Grant("shop", ["orders"], {str(request.token): None}),  # type: ignore[dict-item]
    ],
)
@pytest.mark.parametrize("event", [token_event(f"Bearer {SECRET}"), request_event({"Authorization": SECRET})])
def test_nothing_secret_is_logged(decide: Any, event: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    raised: Exception | None = None
    try:
        call(decide, event)
    except Exception as error:
        raised = error
    # What Lambda's own runtime would log: the error and its cause.
    assert SECRET not in "".join(traceback.format_exception(raised))
    assert SECRET not in caplog.text


def test_a_failure_s_place_is_logged_so_that_it_can_be_found(caplog: pytest.LogCaptureFixture) -> None:
    call(raising(ValueError(SECRET)))
    assert "Deciding.authorize raised ValueError at " in caplog.text
    assert "test_function.py:" in caplog.text


def test_an_asynchronous_authorizer_is_refused_when_it_is_built() -> None:
    class Later(Authorizer):
        async def authorize(self, request: AuthorizationRequest) -> Any:  # type: ignore[override]
            return Grant("shop", ALL_STREAMS)

    with pytest.raises(ConfigurationError, match="async"):
        Later().as_lambda()
