"""``iam`` at the local door. What signs here is botocore, which the lock itself does not use."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from kstream.core.errors import ConfigurationError
from kstream.ingest.enforcing.call import Allowed, Call, Kind
from kstream.ingest.enforcing.iam_lock import IamLock, LocalCredentials
from kstream.testing.clock import VirtualClock
from tests.support.door import LOCAL_STAGE, check, kind, policy

if TYPE_CHECKING:
    from collections.abc import Mapping

URL = "http://127.0.0.1:8080/streams/orders/records"
SHOP = LocalCredentials("AKIDSHOP", "shop-secret")
SESSION = LocalCredentials("ASIASESSION", "session-secret", "session-token")
ORDERS_ONLY = LocalCredentials(
    "AKIDORDERS", "orders-secret", policy=policy("Allow", f"{LOCAL_STAGE}/POST/streams/orders/*")["policyDocument"]
)


def signed(
    credentials: LocalCredentials = SHOP,
    url: str = URL,
    body: bytes = b"record",
    headers: Mapping[str, str] | None = None,
    *,
    region: str = "us-east-1",
    service: str = "execute-api",
    method: str = "POST",
) -> dict[str, str]:
    """The request's headers, signed by botocore, as a server sees them."""
    request = AWSRequest(method, url, data=body, headers={"content-type": "application/json", **(headers or {})})
    keys = Credentials(credentials.access_key, credentials.secret_key, credentials.session_token)
    SigV4Auth(keys, service, region).add_auth(request)
    return {"host": "127.0.0.1:8080", **{name.lower(): value for name, value in request.headers.items()}}


def offered(
    headers: Mapping[str, str], body: bytes = b"record", path: str = "/streams/orders/records", **fields: Any
) -> Call:
    return Call(fields.pop("method", "POST"), path, headers, body=lambda: body, **fields)


def at_the_door(call: Call, clock: VirtualClock | None = None) -> Any:
    from kstream.clock import SystemClock

    return check(IamLock([SHOP, SESSION, ORDERS_ONLY], clock=clock or SystemClock()), call)


def refusal(call: Call) -> str:
    verdict = at_the_door(call)
    assert kind(verdict) is Kind.INVALID_SIGNATURE, verdict
    return str(verdict.message)


def test_what_botocore_signs_is_let_in() -> None:
    assert at_the_door(offered(signed())) == Allowed({"principalId": "AKIDSHOP"})
    assert kind(at_the_door(offered(signed(SESSION)))) is None
    assert kind(at_the_door(offered(signed(body=b""), b""))) is None


def test_all_values_of_a_repeated_header_are_signed() -> None:
    """IAM user guide, "Create a signed AWS API request": joined by commas, in their order."""
    headers = signed(headers={"x-tag": "one,two  three"})
    both = {**headers, "x-tag": "two  three"}
    assert kind(at_the_door(offered(both, repeated={"x-tag": ["one", " two  three"]}))) is None
    assert refusal(offered(both, repeated={"x-tag": ["two  three", "one"]}))
    assert refusal(offered(both))


@given(
    body=st.binary(max_size=100),
    key=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30),
    query=st.lists(
        st.tuples(st.text("aZ9 &=+%é/", min_size=1, max_size=4), st.text("aZ9 &=+%é/", max_size=4)), max_size=3
    ),
    name=st.text("abcZ09_.-", min_size=1, max_size=10).filter(lambda name: name.strip(".")),
)
def test_whatever_is_signed_botocore_and_the_lock_agree(
    body: bytes, key: str, query: list[tuple[str, str]], name: str
) -> None:
    from urllib.parse import quote

    path = f"/streams/{name}/records"
    text = "&".join(f"{quote(one, safe='-_.~')}={quote(other, safe='-_.~')}" for one, other in query)
    url = f"http://127.0.0.1:8080{path}" + (f"?{text}" if text else "")
    headers = signed(url=url, body=body, headers={"x-partition-key": key})
    assert kind(at_the_door(offered(headers, body, path, query=query))) is None
    assert kind(at_the_door(offered({**headers, "x-partition-key": f"{key}!"}, body, path, query=query)))
    assert kind(at_the_door(offered(headers, body + b"!", path, query=query)))
    assert kind(at_the_door(offered(headers, body, path, query=[*query, ("zz", "")])))


def test_the_time_comes_from_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    stands_still = datetime.fromtimestamp(clock.time(), UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: stands_still)
    call = offered(signed())
    for seconds, good in ((0, True), (300, True), (1, False)):
        clock.advance(seconds)
        assert (kind(at_the_door(call, clock)) is None) == good, seconds
    early = VirtualClock(clock.time() - 301 - 301)
    assert kind(at_the_door(call, early)) is Kind.INVALID_SIGNATURE


@pytest.mark.parametrize("header", [None, "", "Bearer x", "Basic dTpw"])
def test_without_a_signature_it_is_a_missing_token(header: str | None) -> None:
    assert kind(at_the_door(offered({} if header is None else {"authorization": header}))) is (
        Kind.MISSING_AUTHENTICATION_TOKEN
    )


def test_wrong_keys() -> None:
    assert "does not fit" in refusal(offered(signed(LocalCredentials("AKIDSHOP", "another"))))
    assert "not known" in refusal(offered(signed(LocalCredentials("AKIDNOBODY", "another"))))
    assert "security token" in refusal(offered(signed(LocalCredentials("ASIASESSION", "session-secret"))))
    assert "security token" in refusal(offered(signed(LocalCredentials("ASIASESSION", "session-secret", "stolen"))))
    assert "security token" in refusal(offered(signed(LocalCredentials("AKIDSHOP", "shop-secret", "surplus"))))


def test_another_region_service_method_path_host_or_body() -> None:
    assert "us-east-1" in refusal(offered(signed(region="eu-west-1")))
    assert "execute-api" in refusal(offered(signed(service="kinesis")))
    good = signed()
    assert refusal(offered(good, method="PUT"))
    assert refusal(offered(good, path="/streams/clicks/records"))
    assert refusal(offered({**good, "host": "evil.test"}))
    assert refusal(offered(good, b"another record"))
    assert refusal(offered({**good, "content-type": "text/plain"}))


def test_a_payload_hash_must_be_the_body_s() -> None:
    from hashlib import sha256

    claimed = {"x-amz-content-sha256": sha256(b"record").hexdigest()}
    assert kind(at_the_door(offered(signed(headers=claimed)))) is None
    for value in ("UNSIGNED-PAYLOAD", sha256(b"other").hexdigest(), "é"):
        headers = {**signed(), "x-amz-content-sha256": value}
        assert refusal(offered(headers))
        if value.isascii():
            assert "Content-SHA256" in refusal(offered(signed(headers={"x-amz-content-sha256": value})))


def test_whatever_aws_reads_must_be_signed() -> None:
    good = signed()
    unsigned_host = re.sub("host;", "", good["authorization"])
    assert "lacks host" in refusal(offered({**good, "authorization": unsigned_host}))
    assert "lacks x-amz-target" in refusal(offered({**good, "x-amz-target": "smuggled"}))
    without = {name: value for name, value in good.items() if name != "content-type"}
    assert "does not have" in refusal(offered(without))


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        ("Credential=", "Credentials="),
        ("aws4_request", "aws5_request"),
        ("Signature=.*", "Signature="),
        ("Signature=.", "Signature=G"),
        ("host;", "host;host;"),
        ("content-type;host", "host;content-type"),
        (r"/20\d{6}/", "/20200101/"),
        ("$", ", Signature=0"),
    ],
)
def test_a_mangled_header(pattern: str, replacement: str) -> None:
    good = signed()
    refusal(offered({**good, "authorization": re.sub(pattern, replacement, good["authorization"])}))


@pytest.mark.parametrize("date", ["", "yesterday", "20200101T000000Z", "20991231T235959Z", "2020-01-01T00:00:00Z"])
def test_a_date_that_is_not_now(date: str) -> None:
    assert "X-Amz-Date" in refusal(offered({**signed(), "x-amz-date": date}))


def test_the_policy_of_whoever_signed_decides() -> None:
    assert kind(at_the_door(offered(signed(ORDERS_ONLY)))) is None
    url = URL.replace("orders", "clicks")
    assert kind(at_the_door(offered(signed(ORDERS_ONLY, url), path="/streams/clicks/records"))) is Kind.ACCESS_DENIED
    with pytest.raises(ConfigurationError, match="AKIDX"):
        IamLock([LocalCredentials("AKIDX", "s", policy={})])


def test_nothing_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0, "kstream")
    call = offered(signed(SESSION))
    shown = [repr(SESSION), repr(call), repr(at_the_door(call)), refusal(offered(signed(SESSION), b"x"))]
    secrets = ["session-secret", "session-token", call.headers["authorization"].rpartition("=")[2]]
    logged = "".join(record.getMessage() for record in caplog.records if record.name.startswith("kstream"))
    assert not [secret for secret in secrets if secret in "".join(shown) + logged]


def test_the_signature_goes_by_the_path_as_sent_and_the_policy_by_the_resource() -> None:
    document = policy("Allow", f"{LOCAL_STAGE}/*")["policyDocument"]
    document["Statement"] += policy("Deny", f"{LOCAL_STAGE}/POST/streams/orders/records")["policyDocument"]["Statement"]
    shut_out = LocalCredentials("AKIDOUT", "out-secret", policy=document)
    call = offered(signed(shut_out, f"{URL}/"), path="/streams/orders/records/", routed="/streams/orders/records")
    assert kind(check(IamLock([shut_out]), call)) is Kind.ACCESS_DENIED
    assert kind(at_the_door(offered(signed(), path="/streams/orders/records/", routed="/streams/orders/records"))) is (
        Kind.INVALID_SIGNATURE
    )
