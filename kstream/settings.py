"""The environment, read once. No other module of the library reads it.

======================================  ================================================================================
``AWS_LAMBDA_FUNCTION_NAME``            set by Lambda: this process is a Lambda environment
``AWS_LAMBDA_LOG_FORMAT``,              set by Lambda: with ``JSON``, the platform drops lines below that level, and takes
``AWS_LAMBDA_LOG_LEVEL``                lines without one, as those of metrics are, for ``INFO``
``_X_AMZN_TRACE_ID``                    set by Lambda anew for each invocation: its trace
``KSTREAM_LEDGER``                      for consumers that name none: ``sqlite:PATH`` or ``dynamodb:TABLE``
``KSTREAM_DEAD_LETTERS``                for consumers that name none: ``dir:PATH``, ``sqs:URL``, ``s3:BUCKET/PREFIX`` or
                                        ``kinesis:STREAM``
``KSTREAM_SERVICE``                     what the metrics' dimension ``service`` says; by default the function's name
``KSTREAM_CONSUMER``                    what their dimension ``consumer`` says; by default the consumer's own name
``KSTREAM_METRICS``                     ``emf`` (in Lambda the default) or ``off``: metrics as lines on stdout, for
                                        consumers that name no telemetry
``KSTREAM_NAMESPACE``                   of these metrics in CloudWatch; by default ``kstream``
``KSTREAM_LOGS``                        ``json`` (in Lambda the default) or ``text``: the form of log lines
``KSTREAM_TRACING``                     ``xray``, ``otel`` or ``off`` (the default)
``KSTREAM_TRACE_RECORDS``               the share of records, 0 to 1, that get a span of their own; by default 0.01
``KSTREAM_TRACE_SLOW``                  seconds from which a record counts as slow, and gets one too; by default 1
``KSTREAM_AUTHORIZER_...``              the ready authorizer, ``consumers/ingest_authorizer``: see ``AuthorizerSettings``
======================================  ================================================================================
"""

from __future__ import annotations

import os
from typing import NamedTuple


class Settings(NamedTuple):
    """What the environment says. An empty variable counts as unset.

    ``lines_from``  the level below which Lambda drops log lines; None if it drops none, or is told no level.
    """

    in_lambda: bool = False
    lines_from: str | None = None
    ledger: str | None = None
    dead_letters: str | None = None
    service: str = "local"
    consumer: str | None = None
    metrics: str | None = None
    namespace: str | None = None
    logs: str | None = None
    tracing: str | None = None
    trace_records: str | None = None
    trace_slow: str | None = None

    @classmethod
    def from_environment(cls) -> Settings:
        return cls(
            in_lambda=bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME")),
            lines_from=_lines_from(),
            ledger=os.environ.get("KSTREAM_LEDGER") or None,
            dead_letters=os.environ.get("KSTREAM_DEAD_LETTERS") or None,
            service=os.environ.get("KSTREAM_SERVICE") or os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or "local",
            consumer=os.environ.get("KSTREAM_CONSUMER") or None,
            metrics=os.environ.get("KSTREAM_METRICS") or None,
            namespace=os.environ.get("KSTREAM_NAMESPACE") or None,
            logs=os.environ.get("KSTREAM_LOGS") or None,
            tracing=os.environ.get("KSTREAM_TRACING") or None,
            trace_records=os.environ.get("KSTREAM_TRACE_RECORDS") or None,
            trace_slow=os.environ.get("KSTREAM_TRACE_SLOW") or None,
        )


def _lines_from() -> str | None:
    by_level = (os.environ.get("AWS_LAMBDA_LOG_FORMAT") or "").upper() == "JSON"
    level = (os.environ.get("AWS_LAMBDA_LOG_LEVEL") or "").upper()
    return level or None if by_level else None


def invocation_trace() -> str | None:
    """What Lambda says of the trace of the invocation in hand; empty if it says nothing, None outside Lambda.

    Not one of ``Settings``, which are read once: Lambda says it anew for each invocation.
    """
    return os.environ.get("_X_AMZN_TRACE_ID", "") if os.environ.get("AWS_LAMBDA_FUNCTION_NAME") else None


class AuthorizerSettings(NamedTuple):
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
