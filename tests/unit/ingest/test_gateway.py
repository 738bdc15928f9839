"""The gateway's stages, one by one. What clients see of it over HTTP: tests/contract/test_ingest_api.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kstream.aws.stream_writer import FailureKind, NotWritten, Written
from kstream.core.errors import ConfigurationError
from kstream.ingest.api import ApiKeys, Iam, IngestApi, IngestStream, Jwt, LambdaFunction, Unlocked
from kstream.ingest.authorizing.request import AuthorizationRequest
from kstream.ingest.contract import Limits
from kstream.ingest.enforcing.call import Allowed, Kind, Refused
from kstream.ingest.enforcing.door import Door
from kstream.ingest.enforcing.identity import IdentitySources
from kstream.ingest.enforcing.local_door import Residents
from kstream.ingest.engine.authorization import everyone
from kstream.ingest.engine.velocity import TemplateError
from kstream.ingest.gateway import Gateway, locked_gateway, unlocked_gateway
from kstream.ingest.http import Head
from kstream.ingest.openapi import deployed
from tests.support.door import LOCAL_STAGE, Function, policy
from tests.support.ingest import CODES, MemoryStreams

if TYPE_CHECKING:
    from kstream.ingest.enforcing.call import Call
    from kstream.ingest.engine.authorization import Security
    from kstream.ingest.http import Response

SINGLE = "/streams/orders/records"
BATCH = "/streams/orders/records/batch"
LOCKED = IngestApi(
    streams=(
        IngestStream(name="orders", locks=(Iam(), ApiKeys())),
        IngestStream(name="returns", locks=(Jwt("https://issuer.example", ("ingest",)),), key_required=True),
        IngestStream(
            name="clicks",
            locks=(ApiKeys(),),
            cors_origins=("https://a.example", "https://b.example"),
            region="eu-west-1",
        ),
        IngestStream(name="views", locks=(ApiKeys(),), cors_origins=("*",)),
    )
)


def head(method: str = "POST", path: str = SINGLE, **headers: str) -> Head:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Head(method, path, names, "r-1", "a=1&a=2&b=", "192.0.2.7")


def body(response: Response) -> Any:
    return json.loads(response.body)


def batch(gateway: Gateway, *records: object) -> Response:
    return gateway.handle(head(path=BATCH), json.dumps({"records": records}).encode())


@pytest.fixture
def streams() -> MemoryStreams:
    return MemoryStreams()


@pytest.fixture
def gateway(streams: MemoryStreams) -> Gateway:
    return unlocked_gateway(["orders", "returns"], streams)


@pytest.fixture
def locked(streams: MemoryStreams) -> Gateway:
    return Gateway(deployed(LOCKED), streams, authorize=everyone)


def test_far_too_many_records_are_refused_for_their_number_wherever_a_mistake_may_be(
    gateway: Gateway, streams: MemoryStreams
) -> None:
    """What the model does not judge, because no template could loop over it, is never put either."""
    answer = batch(gateway, *[{"data": "x"}] * 1_000, {"data": 1})
    assert answer.status == 400
    assert "1 to 500 records" in body(answer)["error"]["message"]
    assert streams.calls == []


def test_the_path_alone_chooses_the_stream(gateway: Gateway, streams: MemoryStreams) -> None:
    gateway.handle(head(path="/streams/returns/records"), b"x")
    assert [stream for stream, _ in streams.calls] == ["returns"]


def test_without_a_key_it_is_the_request_id_and_in_a_batch_the_index_too(
    gateway: Gateway, streams: MemoryStreams
) -> None:
    gateway.handle(head(), b"x")
    batch(gateway, {"data": "a", "partitionKey": "k"}, {"dataBase64": "/w=="})
    assert streams.taken() == [(b"x", "r-1"), (b"a", "k"), (b"\xff", "r-1-1")]


@pytest.mark.parametrize(
    ("request_head", "status", "code"),
    [
        (head(path="/streams/unknown/records"), 404, "NotFound"),
        (head(path="/"), 404, "NotFound"),
        (head("GET"), 404, "NotFound"),
        (head("POST", "/health"), 404, "NotFound"),
        (head(content_length=str(10 * 1024 * 1024 + 1)), 413, "TooLarge"),
    ],
)
def test_what_the_head_decides_is_refused_before_the_body(
    gateway: Gateway, streams: MemoryStreams, request_head: Head, status: int, code: str
) -> None:
    early, whole = gateway.refuse(request_head), gateway.handle(request_head, b"{}")
    assert early == whole
    assert whole.status == status
    error = body(whole)["error"]
    assert (error["code"], error["requestId"]) == (code, "r-1")
    assert error["message"]
    assert not streams.calls


def test_slashes_at_the_end_of_a_path_are_passed_over(gateway: Gateway, streams: MemoryStreams) -> None:
    assert gateway.handle(head(path=SINGLE + "/"), b"x").status == 200
    assert len(streams.taken()) == 1


def test_a_body_over_the_limit_is_413_also_without_a_content_length(streams: MemoryStreams) -> None:
    gateway = unlocked_gateway(["orders"], streams, limits=Limits(body_bytes=10))
    assert gateway.handle(head(), b"x" * 10).status == 200
    assert gateway.handle(head(), b"x" * 11) == gateway.too_large(head())
    assert gateway.too_large(head()).status == 413


def test_a_bad_body_is_told_where_it_is_wrong_and_nothing_of_it_is_quoted(gateway: Gateway) -> None:
    response = batch(gateway, {"data": "x"}, {"data": "x", "partitionKey": 'se"cret'})
    assert response.status == 400
    message = body(response)["error"]["message"]
    assert message.startswith("Invalid request body: records[1].partitionKey does not keep pattern")
    assert "cret" not in message


@pytest.mark.parametrize("kind", FailureKind)
def test_a_single_record_that_fails_answers_as_a_batch_of_one(
    gateway: Gateway, streams: MemoryStreams, kind: FailureKind
) -> None:
    streams.fault = lambda *_: kind
    single, batched = gateway.handle(head(), b"x"), batch(gateway, {"data": "x"})
    assert single.status == batched.status >= 400
    assert body(single)["error"]["code"] == body(batched)["error"]["code"]
    assert kind is not FailureKind.OTHER or CODES[kind] in body(single)["error"]["message"]
    assert "account" not in single.body.decode() + batched.body.decode()  # Kinesis' text names it; ours does not


def test_a_list_of_records_given_twice_is_400_and_loses_nothing_silently(
    gateway: Gateway, streams: MemoryStreams
) -> None:
    """Whoever reads JSON keeps one of them; the other records would be gone, with a 200."""
    for body_ in (
        b'{"records":[{"data":"a"}],"records":[{"data":"b"}]}',
        b'{"records":[{"data":"a","data":"b"}]}',
        b'{"records":[{"data":"a","partitionKey":"k","partition\\u004bey":"l"}]}',
    ):
        response = gateway.handle(head(path=BATCH), body_)
        assert response.status == 400
        assert "stands twice" in body(response)["error"]["message"]
    assert not streams.calls


@pytest.mark.parametrize("content_type", ["Application/Octet-Stream", "APPLICATION/OCTET-STREAM; x=Y"])
def test_a_media_type_may_be_written_in_capitals(gateway: Gateway, streams: MemoryStreams, content_type: str) -> None:
    """RFC 9110, 8.3.1. And what it holds is bytes, never read as base64."""
    assert gateway.handle(head(content_type=content_type), b"eHh4").status == 200
    assert gateway.handle(head(content_type="Text/Plain"), b"eHh4").status == 200
    assert (
        gateway.handle(head(path=BATCH, content_type="Application/JSON"), b'{"records":[{"data":"y"}]}').status == 200
    )
    assert [data for data, _ in streams.taken()] == [b"eHh4", b"eHh4", b"y"]


def test_a_used_up_quota_promises_nothing(streams: MemoryStreams) -> None:
    gateway = Gateway(deployed(LOCKED), streams, authorize=lambda *_: Refused(Kind.QUOTA_EXCEEDED, "Limit Exceeded"))
    response = gateway.handle(head(), b"x")
    assert (response.status, body(response)["error"]["code"]) == (429, "QuotaExceeded")
    assert "retry-after" not in response.headers


def test_a_head_shows_no_secrets() -> None:
    request = Head("POST", SINGLE, {"authorization": "s3cr3t"}, "r", "token=s3cr3t", repeated={"x-api-key": ["s3cr3t"]})
    assert "s3cr3t" not in repr(request)


def test_a_port_that_raises_is_502_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def explode(stream: str, entries: object) -> Any:
        raise RuntimeError("secret detail")

    response = unlocked_gateway(["orders"], explode).handle(head(), b"x")
    assert response.status == 502
    assert b"secret" not in response.body
    assert "secret detail" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, BaseException])
def test_a_port_that_would_end_the_process_ends_a_request(
    caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def explode(stream: str, entries: object) -> Any:
        raise error("secret detail")

    response = unlocked_gateway(["orders"], explode).handle(head(), b"x")
    assert (response.status, body(response)["error"]["code"]) == (500, "GatewayFailed")
    assert b"secret" not in response.body
    assert error.__name__ in caplog.text


def test_ctrl_c_is_not_answered() -> None:
    def interrupted(stream: str, entries: object) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unlocked_gateway(["orders"], interrupted).handle(head(), b"x")


def test_whatever_nobody_foresaw_is_500_in_the_one_envelope(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def render(*_: object) -> str:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("kstream.ingest.engine.velocity.Template.render", render)
    response = gateway.handle(head(authorization="token"), b"x")
    assert (response.status, body(response)["error"]["code"]) == (500, "GatewayFailed")
    assert b"secret" not in response.body
    assert "ZeroDivisionError" in caplog.text
    assert "token" not in caplog.text


@pytest.mark.parametrize("depth", [900, 970, 985, 995, 100_000])
def test_a_deeply_nested_batch_is_400(gateway: Gateway, depth: int) -> None:
    response = gateway.handle(head(path=BATCH), b'{"records":' + b"[" * depth + b"]" * depth + b"}")
    assert (response.status, body(response)["error"]["code"]) == (400, "BadRequest")


@pytest.mark.parametrize("code", ["KMSThrottlingException", "LimitExceededException", "ThrottlingException"])
@pytest.mark.parametrize("path", [SINGLE, BATCH])
def test_a_call_that_is_throttled_for_whatever_reason_says_when_to_come_back(code: str, path: str) -> None:
    throttled = NotWritten(FailureKind.THROTTLED, code, "slow down")
    gateway = unlocked_gateway(["orders"], lambda stream, entries: [throttled] * len(entries))
    response = gateway.handle(head(path=path), b'{"records":[{"data":"a"},{"data":"b"}]}')
    assert (response.status, response.headers["retry-after"]) == (429, "1")
    assert body(response)["error"]["code"] == "Throttled"


@pytest.mark.parametrize("end", ["", "/", "//"])
@pytest.mark.parametrize("kind", ["token", "request"])
def test_a_policy_goes_by_the_resource_however_its_path_was_written(
    streams: MemoryStreams, end: str, kind: str
) -> None:
    statements = policy("Allow", f"{LOCAL_STAGE}/*")
    denied = policy("Deny", f"{LOCAL_STAGE}/POST{SINGLE}")
    statements["policyDocument"]["Statement"] += denied["policyDocument"]["Statement"]
    function = Function(lambda _: statements)
    lock = LambdaFunction(invocation_uri="f", kind=kind)
    api = IngestApi(streams=(IngestStream(name="orders", locks=(lock,)),))
    gateway = locked_gateway(api, streams, Residents(functions={"f": function}))
    assert gateway.handle(head(path=SINGLE + end, authorization="t"), b"x").status == 403
    [event] = function.events
    assert event["methodArn"] == f"{LOCAL_STAGE}/POST{SINGLE}"
    assert AuthorizationRequest.from_event(event).stream == "orders"
    if kind == "request":
        assert event["resource"] == event["requestContext"]["resourcePath"] == SINGLE
        assert event["path"] == SINGLE + end
    assert not streams.calls


def test_an_identity_by_resource_is_one_however_its_path_was_written(streams: MemoryStreams) -> None:
    seen: list[Call] = []

    def authorize(call: Call, security: Security) -> Allowed:
        seen.append(call)
        return Allowed()

    gateway = Gateway(deployed(LOCKED), streams, authorize=authorize)
    gateway.handle(head(path=SINGLE + "/"), b"x")
    assert IdentitySources(["context.resourcePath"]).values(seen[0]) == (SINGLE,)
    assert IdentitySources(["context.path"]).values(seen[0]) == (SINGLE + "/",)


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "image/png", ""])
def test_health_has_no_body_whose_type_could_be_wrong(gateway: Gateway, content_type: str) -> None:
    assert gateway.handle(head("GET", "/health", content_type=content_type), b"").status == 200


def test_a_page_may_send_what_the_stream_asks_for_and_read_when_to_come_back(streams: MemoryStreams) -> None:
    lock = LambdaFunction(invocation_uri="f", header="X-Shop-Token")
    api = IngestApi(
        streams=(IngestStream(name="orders", locks=(lock, ApiKeys()), cors_origins=("https://shop.example",)),)
    )
    gateway = Gateway(deployed(api), streams, authorize=everyone)
    allowed = gateway.handle(head("OPTIONS"), b"").headers["access-control-allow-headers"].split(",")
    assert {"X-Shop-Token", "X-Api-Key", "Content-Type", "X-Partition-Key"} <= set(allowed)
    assert len({name.lower() for name in allowed}) == len(allowed)
    streams.fault = lambda *_: FailureKind.THROTTLED
    over_the_streams_rate = [gateway.handle(head(), b"x"), batch(gateway, {"data": "x"})]
    busy = Gateway(deployed(api), streams, authorize=lambda *_: Refused(Kind.THROTTLED, ""))
    for response in (*over_the_streams_rate, busy.handle(head(), b"x")):
        assert response.status == 429
        assert response.headers["access-control-expose-headers"] == "Retry-After"
        assert "retry-after" in response.headers


def test_a_port_that_forgets_records_is_502() -> None:
    gateway = unlocked_gateway(["orders"], lambda stream, entries: [Written("1", "s")])
    assert batch(gateway, {"data": "a"}, {"data": "b"}).status == 502


def test_an_authorizer_sees_the_request_and_the_operations_requirement(streams: MemoryStreams) -> None:
    seen: list[tuple[Call, Security]] = []

    def authorize(call: Call, security: Security) -> Allowed:
        seen.append((call, security))
        return Allowed()

    gateway = Gateway(deployed(LOCKED), streams, authorize=authorize)
    assert gateway.handle(head(authorization="signed"), b"x").status == 200
    ((call, security),) = seen
    assert (call.method, call.path, call.headers) == ("POST", SINGLE, {"authorization": "signed"})
    assert (call.query, call.source_ip, call.request_id) == ([("a", "1"), ("a", "2"), ("b", "")], "192.0.2.7", "r-1")
    assert call.body() == b"x"
    assert security == [{"iam": [], "apiKey": []}]
    assert call.resource == SINGLE


def test_nobody_is_asked_about_what_is_open_to_all(streams: MemoryStreams) -> None:
    def authorize(call: Call, security: Security) -> Allowed:
        raise AssertionError("asked")

    gateway = Gateway(deployed(LOCKED), streams, authorize=authorize)
    assert gateway.handle(head("GET", "/health"), b"").status == 200
    assert gateway.handle(head("OPTIONS", "/streams/views/records"), b"").status == 204


@pytest.mark.parametrize("kind", Kind)
def test_a_refusal_is_answered_as_its_kind_has_it(streams: MemoryStreams, kind: Kind) -> None:
    gateway = Gateway(deployed(LOCKED), streams, authorize=lambda *_: Refused(kind, "Unauthorized"))
    response = gateway.handle(head(), b"x")
    assert response.status == kind.status
    assert set(body(response)["error"]) == {"code", "message", "requestId"}
    assert not streams.calls


def test_who_may_not_put_learns_nothing_about_the_body(streams: MemoryStreams) -> None:
    gateway = Gateway(deployed(LOCKED), streams, authorize=lambda *_: Refused(Kind.ACCESS_DENIED, "no"))
    for content_type in ("application/json", "image/png"):
        assert gateway.handle(head(path=BATCH, content_type=content_type), b"no batch").status == 403


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_an_authorizer_that_raises_keeps_everybody_out(
    streams: MemoryStreams, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def authorize(call: Call, security: Security) -> Allowed:
        raise error(f"secret {call.headers}")

    response = Gateway(deployed(LOCKED), streams, authorize=authorize).handle(head(authorization="token"), b"x")
    assert response.status == 500
    assert body(response)["error"]["code"] == "GatewayFailed"
    assert not streams.calls
    assert error.__name__ in caplog.text
    assert "token" not in caplog.text + response.body.decode()


def test_the_door_of_this_machine_is_such_an_authorizer(streams: MemoryStreams) -> None:
    """Whose locks are missing, it keeps everybody out."""
    gateway = Gateway(deployed(LOCKED), streams, authorize=Door({}).check)
    assert gateway.handle(head(), b"x").status == 500
    assert not streams.calls


def test_where_signed_requests_are_taken_an_unknown_path_is_403(locked: Gateway) -> None:
    """API Gateway has one answer for both, and a request that lacks its signature must not be told 404."""
    assert locked.handle(head(path="/nowhere"), b"").status == 403


def test_a_stream_may_ask_for_keys(locked: Gateway, streams: MemoryStreams) -> None:
    path = "/streams/returns/records"
    assert locked.handle(head(path=path), b"x").status == 400
    assert locked.handle(head(path=path, x_partition_key="k"), b"x").status == 200
    assert locked.handle(head(path=path + "/batch"), b'{"records":[{"data":"y"}]}').status == 400
    assert locked.handle(head(path=path + "/batch"), b'{"records":[{"data":"y","partitionKey":"l"}]}').status == 200
    assert streams.taken("returns") == [(b"x", "k"), (b"y", "l")]


@pytest.mark.parametrize(
    ("path", "origin", "allowed"),
    [
        ("/streams/orders/records", "https://a.example", None),
        ("/streams/clicks/records", "https://a.example", "https://a.example"),
        ("/streams/clicks/records", "https://b.example", "https://b.example"),
        ("/streams/clicks/records", "https://evil.example", None),
        ("/streams/clicks/records", "", None),
        ("/streams/views/records", "https://anywhere.example", "*"),
    ],
)
def test_web_pages_may_put_from_the_origins_that_are_named(
    locked: Gateway, streams: MemoryStreams, path: str, origin: str, allowed: str | None
) -> None:
    request = {"origin": origin} if origin else {}
    response = locked.handle(head(path=path, **request), b"x")
    assert (response.status, response.headers.get("access-control-allow-origin")) == (200, allowed)
    preflight = locked.handle(head("OPTIONS", path, **request), b"")
    if path != "/streams/orders/records":
        assert (preflight.status, preflight.headers.get("access-control-allow-origin")) == (204, allowed)
        assert preflight.headers["access-control-allow-methods"] == "POST,OPTIONS"
        assert preflight.body == b""
    streams.fault = lambda *_: FailureKind.INTERNAL
    failed = locked.handle(head(path=path, **request), b"x")
    assert (failed.status, failed.headers.get("access-control-allow-origin")) == (502, allowed)


def test_without_any_stream_there_is_no_gateway(streams: MemoryStreams) -> None:
    with pytest.raises(ConfigurationError, match="no stream"):
        unlocked_gateway([], streams)


def changed(change: Any) -> dict[str, Any]:
    document = deployed(IngestApi(streams=(IngestStream(name="orders", locks=(Unlocked(),)),)))
    change(document["paths"][SINGLE]["post"])
    return document


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda operation: operation.pop("security"), ConfigurationError, "who may use it"),
        (lambda operation: operation.update(security=[{"a": []}, {"b": []}]), ConfigurationError, "no choice"),
        (
            lambda operation: operation["x-amazon-apigateway-integration"].update(passthroughBehavior="when_no_match"),
            ConfigurationError,
            "no template has seen",
        ),
        (
            lambda operation: operation["x-amazon-apigateway-integration"].update(
                uri="arn:aws:apigateway:r:sqs:path/x"
            ),
            ConfigurationError,
            "Kinesis alone",
        ),
        (
            lambda operation: operation["x-amazon-apigateway-integration"]["responses"].pop("default"),
            ConfigurationError,
            "default",
        ),
        (
            lambda operation: operation["x-amazon-apigateway-integration"]["requestTemplates"].update(
                {"text/xml": "#parse('x')"}
            ),
            TemplateError,
            "ParseDirective",
        ),
        (
            lambda operation: operation["x-amazon-apigateway-integration"]["responses"]["200"].update(
                responseParameters={"method.response.header.x": "integration.response.header.y"}
            ),
            ConfigurationError,
            "not a fixed text",
        ),
    ],
)
def test_a_document_that_cannot_be_run_whole_is_not_run(
    streams: MemoryStreams, change: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Gateway(changed(change), streams, authorize=everyone)


def test_a_template_that_fails_is_500_and_puts_nothing(
    streams: MemoryStreams, caplog: pytest.LogCaptureFixture
) -> None:
    def change(operation: Any) -> None:
        operation["x-amazon-apigateway-integration"]["requestTemplates"]["application/json"] = "$input.params()"

    response = Gateway(changed(change), streams, authorize=everyone).handle(head(), b"x")
    assert (response.status, streams.calls) == (500, [])
    assert "its template failed" in caplog.text
