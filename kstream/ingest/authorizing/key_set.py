"""An issuer's key set (RFC 7517), read into keys that can verify and nothing else.

Only public keys of asymmetric algorithms are taken. So a public key is never used as a shared secret ("key confusion"),
and a shared secret that an issuer published by mistake is not believed.
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

from kstream.ingest.authorizing.pyjwt import pyjwt

_log = logging.getLogger(__name__)

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_BY_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
ALGORITHMS: Final = _RSA | frozenset(_BY_CURVE.values())
"""All that can be allowed: signatures by a private key that only the issuer has."""

MIN_RSA_BITS: Final = 2048


class VerificationKey(NamedTuple):
    """A public key and the algorithms that it may be used with."""

    key: Any
    algorithms: frozenset[str]


def keys_in(document: Any) -> dict[str | None, VerificationKey]:
    """The key set's usable keys, by their key id. What cannot be used is left out, and the log says why.

    Raises ``ValueError`` if nothing usable is in it.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the document is no key set: it has no list 'keys'")  # noqa: TRY004 - for the caller, bad content
    keys: dict[str | None, VerificationKey] = {}
    for entry in entries:
        try:
            key_id, key = _key(entry)
        except (ValueError, TypeError, pyjwt().PyJWTError) as error:
            # PyJWT's own texts repeat the key.
            reason = str(error) if type(error) is _Unusable else type(error).__name__
            _log.warning("a key of the key set is left out: %s", reason)
            continue
        if key_id in keys:
            _log.warning("a key of the key set is left out: another has the same kid")
            continue
        keys[key_id] = key
    if not keys:
        raise ValueError("the key set has no key that can be used")
    return keys


class _Unusable(ValueError):
    pass


def _key(entry: Any) -> tuple[str | None, VerificationKey]:
    if not isinstance(entry, dict):
        raise _Unusable("it is no object")
    key_id = entry.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise _Unusable("its kid is no text")
    possible = _possible(entry)
    if "d" in entry:
        raise _Unusable("it is a private key; the issuer must replace it")
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        raise _Unusable("it is not for signatures")
    algorithm = entry.get("alg")
    algorithms = possible if algorithm is None else possible & {algorithm}
    if not algorithms:
        raise _Unusable("its alg does not fit its kty")
    key = pyjwt().PyJWK(entry, min(algorithms)).key
    if entry["kty"] == "RSA" and key.key_size < MIN_RSA_BITS:
        raise _Unusable(f"it is an RSA key of fewer than {MIN_RSA_BITS} bits")
    return key_id, VerificationKey(key, algorithms)


def _possible(entry: dict[str, Any]) -> frozenset[str]:
    match entry.get("kty"):
        case "RSA":
            return _RSA
        case "EC" | "OKP" if isinstance(entry.get("crv"), str) and entry["crv"] in _BY_CURVE:
            return frozenset({_BY_CURVE[entry["crv"]]})
        case "oct":
            raise _Unusable("it is a shared secret; the issuer must replace it")
    raise _Unusable("its kty or crv is not known")
