"""The function's handler. It is built when the module is loaded: a setting that cannot work fails the deployment's first
start, and no request is ever let in by it."""

from __future__ import annotations

from consumers.ingest_authorizer.configured import authorizer_from
from kstream.settings import AuthorizerSettings

lambda_handler = authorizer_from(AuthorizerSettings.from_environment()).as_lambda()
