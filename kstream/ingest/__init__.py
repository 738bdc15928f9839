"""The ingest API, its gateway on this machine, and its client.

``contract``   what both sides agree on: paths, limits, statuses, the shape of answers.
``gateway``    the application: a typed request in, a typed response out. ``asgi`` and ``server`` put it on a port.
``client``     ``IngestClient``; its decisions are made without I/O in ``records``, ``lanes`` and ``delivery``.
               ``async_client`` is its twin for an event loop.
``authorizer`` who may put: the base class of Lambda authorizers, and ready ones (``authorizing``).
``enforcing``  the same door, locked on this machine.

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.lazy_names import lazy_names

if TYPE_CHECKING:
    from kstream.ingest.async_client import AsyncIngestClient as AsyncIngestClient
    from kstream.ingest.auth import ApiKey as ApiKey
    from kstream.ingest.auth import BearerToken as BearerToken
    from kstream.ingest.auth import SigV4 as SigV4
    from kstream.ingest.authorizer import ALL_STREAMS as ALL_STREAMS
    from kstream.ingest.authorizer import AuthorizationRequest as AuthorizationRequest
    from kstream.ingest.authorizer import Authorizer as Authorizer
    from kstream.ingest.authorizer import AuthorizerUnavailable as AuthorizerUnavailable
    from kstream.ingest.authorizer import Deny as Deny
    from kstream.ingest.authorizer import Grant as Grant
    from kstream.ingest.authorizing.api_keys import ApiKeyAuthorizer as ApiKeyAuthorizer
    from kstream.ingest.authorizing.api_keys import KeyHolder as KeyHolder
    from kstream.ingest.authorizing.api_keys import hash_api_key as hash_api_key
    from kstream.ingest.authorizing.api_keys import new_api_key as new_api_key
    from kstream.ingest.authorizing.claims import streams_by_claim as streams_by_claim
    from kstream.ingest.authorizing.claims import streams_by_scope as streams_by_scope
    from kstream.ingest.authorizing.claims import streams_by_table as streams_by_table
    from kstream.ingest.authorizing.jwt_authorizer import JwtAuthorizer as JwtAuthorizer
    from kstream.ingest.client import IngestClient as IngestClient

_HOMES = {
    "ALL_STREAMS": "kstream.ingest.authorizer",
    "ApiKey": "kstream.ingest.auth",
    "ApiKeyAuthorizer": "kstream.ingest.authorizing.api_keys",
    "AsyncIngestClient": "kstream.ingest.async_client",
    "AuthorizationRequest": "kstream.ingest.authorizer",
    "Authorizer": "kstream.ingest.authorizer",
    "AuthorizerUnavailable": "kstream.ingest.authorizer",
    "BearerToken": "kstream.ingest.auth",
    "Deny": "kstream.ingest.authorizer",
    "Grant": "kstream.ingest.authorizer",
    "IngestClient": "kstream.ingest.client",
    "JwtAuthorizer": "kstream.ingest.authorizing.jwt_authorizer",
    "KeyHolder": "kstream.ingest.authorizing.api_keys",
    "SigV4": "kstream.ingest.auth",
    "hash_api_key": "kstream.ingest.authorizing.api_keys",
    "new_api_key": "kstream.ingest.authorizing.api_keys",
    "streams_by_claim": "kstream.ingest.authorizing.claims",
    "streams_by_scope": "kstream.ingest.authorizing.claims",
    "streams_by_table": "kstream.ingest.authorizing.claims",
}

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
