"""Verifying AWS Signature Version 4 in a request's headers.

IAM user guide, "Create a signed AWS API request". What botocore signs with is deliberately not used: who checks a
signature with the code that made it finds no mistake.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from kstream.ingest.enforcing.call import Call

MAX_SKEW_SECONDS: Final = 300
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<access_key>[\w.-]+)/(?P<date>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/"
    r"aws4_request, *SignedHeaders=(?P<headers>[a-z0-9;._-]+), *Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


class SignatureRefused(Exception):
    """The signature is not valid. The message says why, and has neither keys nor signatures in it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The header ``Authorization``, taken apart."""

    access_key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str

    @classmethod
    def parse(cls, authorization: str) -> Signature:
        match = _AUTHORIZATION.fullmatch(authorization)
        if match is None:
            raise SignatureRefused("the Authorization header is no complete AWS4-HMAC-SHA256 signature")
        parts = match.groupdict()
        return cls(**(parts | {"headers": tuple(parts["headers"].split(";"))}))

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def verify(call: Call, signature: Signature, secret_key: str, *, region: str, service: str, now: float) -> None:
    """Raises ``SignatureRefused`` unless the request was signed with this key, for this region and service, just now.

    ``now``: seconds since the epoch.
    """
    if (signature.region, signature.service) != (region, service):
        raise SignatureRefused(f"it is signed for {signature.region}/{signature.service}, not for {region}/{service}")
    timestamp = call.headers.get("x-amz-date", "")
    _check_time(timestamp, signature.date, now)
    _check_headers(call, signature)
    text = "\n".join([_ALGORITHM, timestamp, signature.scope, sha256(_canonical(call, signature)).hexdigest()])
    expected = hmac.new(_signing_key(secret_key, signature), text.encode(), sha256).hexdigest()
    if not hmac.compare_digest(expected, signature.signature):
        raise SignatureRefused("the signature does not fit the request and the secret key")


def _check_time(timestamp: str, date: str, now: float) -> None:
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise SignatureRefused("there is no X-Amz-Date like 20260131T235959Z") from None
    if timestamp[:8] != date:
        raise SignatureRefused("the credential's date is not that of X-Amz-Date")
    if abs(now - signed_at.timestamp()) > MAX_SKEW_SECONDS:
        raise SignatureRefused(f"X-Amz-Date is over {MAX_SKEW_SECONDS // 60} minutes off; check the clock")


def _check_headers(call: Call, signature: Signature) -> None:
    names = signature.headers
    if list(names) != sorted(set(names)):
        raise SignatureRefused("SignedHeaders is not sorted, or names one twice")
    # Whatever AWS reads must be signed, or a stranger on the way could change it.
    must = {"host"} | {name for name in call.headers if name.startswith("x-amz-")}
    missing = sorted(must - set(names))
    if missing:
        raise SignatureRefused(f"SignedHeaders lacks {', '.join(missing)}")
    absent = sorted(set(names) - call.headers.keys())
    if absent:
        raise SignatureRefused(f"SignedHeaders names {', '.join(absent)}, which the request does not have")


def _canonical(call: Call, signature: Signature) -> bytes:
    # The wire's path is encoded once, and the signature encodes it once more: every service but S3.
    path = quote(quote(call.path, safe="/-_.~"), safe="/-_.~")
    query = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in call.query)
    return "\n".join(
        [
            call.method,
            path,
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{_canonical_values(call, name)}" for name in signature.headers),
            "",
            ";".join(signature.headers),
            _payload_hash(call),
        ]
    ).encode("latin-1", "surrogateescape")


def _canonical_values(call: Call, header: str) -> str:
    return ",".join(" ".join(value.split()) for value in call.values(header))


def _payload_hash(call: Call) -> str:
    actual = sha256(call.body()).hexdigest()
    claimed = call.headers.get("x-amz-content-sha256", actual)
    if not hmac.compare_digest(claimed.encode("latin-1", "replace"), actual.encode()):
        raise SignatureRefused("X-Amz-Content-SHA256 is not the body's")
    return actual


def _signing_key(secret_key: str, signature: Signature) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in signature.scope.split("/"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
