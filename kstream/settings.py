"""The environment, read once. No other module of the library reads it.

======================================  ================================================================================
``AWS_LAMBDA_FUNCTION_NAME``            set by Lambda: this process is a Lambda environment
``KSTREAM_LEDGER``                      for consumers that name none: ``sqlite:PATH`` or ``dynamodb:TABLE``
``KSTREAM_DEAD_LETTERS``                for consumers that name none: ``dir:PATH``, ``sqs:URL``, ``s3:BUCKET/PREFIX`` or
                                        ``kinesis:STREAM``
``KSTREAM_AUTHORIZER_...``              the ready authorizer, ``consumers/ingest_authorizer``: see ``AuthorizerSettings``
======================================  ================================================================================
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. An empty variable counts as unset."""

    in_lambda: bool = False
    ledger: str | None = None
    dead_letters: str | None = None

    @classmethod
    def from_environment(cls) -> Settings:
        return cls(
            in_lambda=bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME")),
            ledger=os.environ.get("KSTREAM_LEDGER") or None,
            dead_letters=os.environ.get("KSTREAM_DEAD_LETTERS") or None,
        )


@dataclass(frozen=True, slots=True)
class AuthorizerSettings:
    """Of the ready Lambda authorizer. Each field is the variable ``KSTREAM_AUTHORIZER_`` with its name; None if unset.

    ``issuer``, ``audience``, ``jwks_url``, ``algorithms``, ``audience_claim``  of tokens; several with commas.
    ``streams``   from a token to streams: ``scope:PREFIX``, ``claim:NAME``, or a JSON object from scopes to names.
    ``api_keys``  in place of tokens: a JSON list of ``{"name": ..., "key_hash": ..., "streams": [...]}``.
    """

    issuer: str | None = None
    audience: str | None = None
    jwks_url: str | None = None
    algorithms: str | None = None
    audience_claim: str | None = None
    streams: str | None = None
    api_keys: str | None = None

    @classmethod
    def from_environment(cls) -> AuthorizerSettings:
        return cls(
            issuer=os.environ.get("KSTREAM_AUTHORIZER_ISSUER") or None,
            audience=os.environ.get("KSTREAM_AUTHORIZER_AUDIENCE") or None,
            jwks_url=os.environ.get("KSTREAM_AUTHORIZER_JWKS_URL") or None,
            algorithms=os.environ.get("KSTREAM_AUTHORIZER_ALGORITHMS") or None,
            audience_claim=os.environ.get("KSTREAM_AUTHORIZER_AUDIENCE_CLAIM") or None,
            streams=os.environ.get("KSTREAM_AUTHORIZER_STREAMS") or None,
            api_keys=os.environ.get("KSTREAM_AUTHORIZER_API_KEYS") or None,
        )
