"""Signing for API Gateway: the right region, the right credentials, the right headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.credentials import Credentials

from kstream.aws.sigv4 import SigV4
from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

API = "https://abc123.execute-api.eu-west-1.amazonaws.com/prod/streams/orders/records"
LOCAL = "http://127.0.0.1:8080/streams/orders/records"
KEYS = Credentials("AKID", "s3cr3t", "session-token")


def sign(auth: SigV4, url: str = API, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    return auth.sign("POST", url, {"host": url.split("/")[2], **(headers or {})}, b"record")


def scope(signed: Mapping[str, str]) -> list[str]:
    return signed["authorization"].partition("Credential=")[2].partition(",")[0].split("/")


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (API, "eu-west-1"),
        ("https://a.execute-api.cn-north-1.amazonaws.com.cn/prod", "cn-north-1"),
        ("https://a.execute-api-fips.us-gov-west-1.amazonaws.com/prod", "us-gov-west-1"),
        ("https://ingest.example.com/", "us-east-1"),
        ("https://execute-api.eu-west-1.amazonaws.com.evil.test/", "us-east-1"),
        (LOCAL, "us-east-1"),
    ],
)
def test_the_region_is_the_api_s_own_else_the_session_s(url: str, region: str) -> None:
    access_key, _, found, service, last = scope(sign(SigV4(credentials=KEYS), url))
    assert (access_key, found, service, last) == ("AKID", region, "execute-api", "aws4_request")
    assert scope(sign(SigV4(credentials=KEYS, region="ap-south-1"), url))[2] == "ap-south-1"


def test_what_decides_about_the_record_is_signed_and_what_the_way_may_change_is_not() -> None:
    headers = {"content-type": "a/b", "x-partition-key": "k", "accept": "*/*", "user-agent": "x", "x-amz-date": "old"}
    headers |= {"x-amzn-trace-id": "Root=1-0-0", "traceparent": "00-1", "tracestate": "a=b"}
    signed = sign(SigV4(credentials=KEYS), headers=headers)
    assert set(signed) == {"authorization", "x-amz-date", "x-amz-security-token"}
    assert signed["x-amz-date"] != "old"
    names = signed["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert names == ["content-type", "host", "x-amz-date", "x-amz-security-token", "x-partition-key"]


def test_credentials_come_from_botocore_s_own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert scope(sign(SigV4()))[0] == "test"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert scope(sign(SigV4()))[0] == "AKIDENV"
    file = tmp_path / "credentials"
    file.write_text("[shop]\naws_access_key_id = AKIDFILE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert scope(sign(SigV4(profile="shop")))[0] == "AKIDFILE"


def test_made_up_credentials_never_leave_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert scope(sign(SigV4(), LOCAL))[0] == "test"
    with pytest.raises(ConfigurationError, match="AWS_PROFILE"):
        sign(SigV4(), API)
    both = SigV4()
    sign(both, LOCAL)
    with pytest.raises(ConfigurationError, match="AWS_PROFILE"):
        sign(both, API)


def test_what_cannot_be_found_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigurationError, match=r"SigV4\(region="):
        sign(SigV4(credentials=KEYS), "https://ingest.example.com/")
    assert scope(sign(SigV4(credentials=KEYS), LOCAL))[2] == "us-east-1"
    with pytest.raises(ConfigurationError, match="nobody"):
        sign(SigV4(profile="nobody"))


def test_the_repr_shows_no_key() -> None:
    assert "s3cr3t" not in repr(SigV4(credentials=KEYS))
    assert "AKID" not in repr(SigV4(credentials=KEYS))
