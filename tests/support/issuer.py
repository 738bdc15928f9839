"""An issuer of JWTs: its keys, its tokens good and bad, and its key set on a real HTTP server of this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

if TYPE_CHECKING:
    from collections.abc import Mapping

ISSUER = "https://issuer.test/"
AUDIENCE = "ingest"


def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Always the same for one name, within a process: making one takes a while."""
    return _made_rsa_key(name, bits)


@cache
def _made_rsa_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_jwk(name: str, bits: int = 2048, **fields: Any) -> dict[str, Any]:
    jwk: dict[str, Any] = RSAAlgorithm.to_jwk(rsa_key(name, bits).public_key(), as_dict=True)
    return {**jwk, "kid": name, "use": "sig", "alg": "RS256", **fields}


def ec_jwk(name: str, **fields: Any) -> dict[str, Any]:
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(ec_key(name).public_key(), as_dict=True)
    return {**jwk, "kid": name, **fields}


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims; a None leaves one out."""
    now = int(time.time())
    given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "shop", "exp": now + 600, "iat": now, "scope": "put:orders"}
    return {name: value for name, value in (given | changed).items() if value is not None}


def token(key: str = "k1", *, headers: Mapping[str, Any] | None = None, **changed: Any) -> str:
    return jwt.encode(claims(**changed), rsa_key(key), "RS256", {"kid": key, **(headers or {})})


def ec_token(key: str = "e1", **changed: Any) -> str:
    return jwt.encode(claims(**changed), ec_key(key), "ES256", {"kid": key})


def unsigned_token(alg: str = "none", **changed: Any) -> str:
    """``alg: none``: two parts, and no signature."""
    return f"{_part({'alg': alg, 'typ': 'JWT', 'kid': 'k1'})}.{_part(claims(**changed))}."


def confused_token(key: str = "k1", **changed: Any) -> str:
    """Signed with HS256, the issuer's *public* key as the secret: whoever mixes up keys takes it for the issuer's."""
    secret = rsa_key(key).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': key})}.{_part(claims(**changed))}"
    return f"{signed}.{_base64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def _part(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class KeyServer:
    """Serves ``documents`` by their paths, on a free port of 127.0.0.1; counts what is asked for. A context manager.

    ``status`` other than 200 is answered to everything. ``redirect_to`` redirects everything.
    """

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.status = 200
        self.redirect_to: str | None = None
        self.asked: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                document = owner.documents.get(self.path)
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                if owner.redirect_to is not None:
                    self.send_response(302)
                    self.send_header("location", owner.redirect_to)
                    body = b""
                else:
                    self.send_response(owner.status if document is not None else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Nothing of it is of interest."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
