"""The gateway of this machine: runs the document that is deployed to API Gateway, stage by stage as API Gateway does.

    route ─▶ authorize ─▶ validate ─▶ request template ─▶ Kinesis ─▶ choose a response ─▶ response template

What goes wrong on the way is one of the document's gateway responses. There is no other word of the contract in here:
paths, models, templates, statuses and messages all stand in the document.
"""

from __future__ import annotations

import json
import logging
import time
from base64 import b64encode
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from kstream.core.errors import ConfigurationError
from kstream.ingest.api import unlocked
from kstream.ingest.contract import JSON, Limits
from kstream.ingest.enforcing.call import Call, Refused
from kstream.ingest.engine.api import Api
from kstream.ingest.engine.authorization import everyone
from kstream.ingest.engine.failures import Failures
from kstream.ingest.engine.integration import KinesisAnswer, KinesisIntegration
from kstream.ingest.engine.model import NotOfTheModel
from kstream.ingest.engine.velocity import TemplateError
from kstream.ingest.engine.velocity.objects import Input
from kstream.ingest.http import Response
from kstream.ingest.openapi import deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kstream.ingest.api import IngestApi
    from kstream.ingest.enforcing.local_door import Residents
    from kstream.ingest.engine.api import Operation
    from kstream.ingest.engine.authorization import Authorize
    from kstream.ingest.engine.integration import PutRecords
    from kstream.ingest.http import Head

_log = logging.getLogger(__name__)

_BODILESS = ("GET", "HEAD", "OPTIONS")
_NEEDED = ("airspeed", "fastjsonschema", "jsonschema")


class _Failure(Exception):
    """Ends a request with one of the gateway responses. ``message`` is ``$context.error.message``."""

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Gateway:
    """The application. Thread-safe, and without state between requests. Needs the extra ``local``.

    ``document``     as ``kstream.ingest.openapi.deployed`` writes it.
    ``put_records``  the port to Kinesis.
    ``authorize``    who may put; asked for each operation that has a lock. ``everyone`` opens them all.
    ``limits``       of the payload, and of the stream's records.
    Raises ``ConfigurationError`` or ``TemplateError`` for a document that it cannot run whole.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        put_records: PutRecords,
        *,
        authorize: Authorize,
        limits: Limits | None = None,
    ) -> None:
        if missing := [name for name in _NEEDED if find_spec(name) is None]:
            raise ConfigurationError(f"the ingest gateway needs {', '.join(missing)}: pip install 'kstream[local]'")
        self._limits = limits or Limits()
        self._api = Api(document)
        self._failures = Failures(document)
        self._kinesis = KinesisIntegration(put_records, self._limits)
        self._authorize = authorize

    @property
    def max_body_bytes(self) -> int:
        return self._limits.body_bytes

    def refuse(self, head: Head) -> Response | None:
        """The answer to what cannot succeed whatever its body is. Does not block."""
        try:
            self._route(head)
        except _Failure as failure:
            return self._failed(failure, head)
        return None

    def too_large(self, head: Head) -> Response:
        """The answer to a body over ``max_body_bytes``."""
        return self._failed(_Failure("REQUEST_TOO_LARGE"), head)

    def handle(self, head: Head, body: bytes) -> Response:
        """The answer to a whole request. Blocks while the authorizer or Kinesis is asked."""
        try:
            operation = self._route(head)
            if len(body) > self._limits.body_bytes:
                raise _Failure("REQUEST_TOO_LARGE")
            context = _context(head, operation)
            if operation.security:
                context["authorizer"] = self._allowed(head, body, operation)
            return self._answer(head, body, operation, context)
        except _Failure as failure:
            return self._failed(failure, head)
        except TemplateError:
            _log.exception("%s %s: its template failed", head.method, head.path)
            return self._failed(_Failure("API_CONFIGURATION_ERROR"), head)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException:  # noqa: BLE001 - the last resort: whoever asks is answered, SystemExit of the port included
            _log.exception("%s %s failed, request %s", head.method, head.path, head.request_id)
            return self._failed(_Failure("DEFAULT_5XX"), head)

    def _route(self, head: Head) -> Operation:
        operation = self._api.operation(head.method, head.path)
        if operation is None:
            raise _Failure("MISSING_AUTHENTICATION_TOKEN")
        length = head.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._limits.body_bytes:
            raise _Failure("REQUEST_TOO_LARGE")
        return operation

    def _allowed(self, head: Head, body: bytes, operation: Operation) -> dict[str, Any]:
        call = Call(
            head.method,
            head.path,
            head.headers,
            parse_qsl(head.query, keep_blank_values=True),
            head.source_ip,
            head.request_id,
            lambda: body,
            head.repeated,
            operation.resource,
        )
        try:
            verdict = self._authorize(call, operation.security)
        except BaseException as error:  # noqa: BLE001 - the port is the caller's code, SystemExit included; nobody gets in
            # Without its text: it may hold the token.
            _log.error("the authorizer raised %s for request %s", type(error).__name__, head.request_id)
            raise _Failure("AUTHORIZER_FAILURE") from None
        if isinstance(verdict, Refused):
            raise _Failure(verdict.kind.value, verdict.message)
        return dict(verdict.context)

    def _answer(self, head: Head, body: bytes, operation: Operation, context: dict[str, Any]) -> Response:
        media_type = _media_type(head)
        # Bytes that are no UTF-8 become U+FFFD, as in API Gateway; the templates refuse what has it.
        text = b64encode(body).decode() if media_type in self._api.binary_media_types else body.decode(errors="replace")
        model = operation.models.get(media_type)
        params = _params(head)
        try:
            given = Input(text, params) if model is None else Input(text, params, model.document(text))
        except NotOfTheModel as error:
            raise _Failure("BAD_REQUEST_BODY", f"Invalid request body: {error}") from None
        template = operation.templates.get(media_type)
        if template is None:
            raise _Failure("UNSUPPORTED_MEDIA_TYPE")
        request = template.render({"input": given, "context": context, "stageVariables": {}})
        answer = self._integrated(operation, request)
        response = operation.response_to(answer.status)
        rendered = response.template.render(
            {"input": Input(None, params, answer.document), "context": context, "stageVariables": {}}
        )
        override = context["responseOverride"]
        headers = {**response.headers, **{name.lower(): value for name, value in override["header"].items()}}
        return Response(override["status"] or response.status, rendered.strip().encode(), headers)

    def _integrated(self, operation: Operation, request: str) -> KinesisAnswer:
        if operation.action is None:
            return KinesisAnswer(json.loads(request)["statusCode"], {})
        try:
            return self._kinesis.call(operation.action, request)
        except Exception:  # noqa: BLE001 - the port is the caller's code; never followed by success
            _log.exception("the stream's writer failed")
            raise _Failure("INTEGRATION_FAILURE") from None

    def _failed(self, failure: _Failure, head: Head) -> Response:
        return self._failures.response(failure.kind, head.request_id, failure.message)


def unlocked_gateway(
    streams: Iterable[str], put_records: PutRecords, *, limits: Limits | None = None, envelope: bool = False
) -> Gateway:
    """A gateway that anyone may put through: for this machine, and bound to its loopback."""
    return Gateway(deployed(unlocked(*streams, envelope=envelope)), put_records, authorize=everyone, limits=limits)


def locked_gateway(
    api: IngestApi, put_records: PutRecords, residents: Residents, *, limits: Limits | None = None
) -> Gateway:
    """A gateway with the locks of ``api``. ``residents``: who and what there is on this machine, for them to ask.

    Raises ``ConfigurationError`` for a lock whose residents are missing.
    """
    from kstream.ingest.enforcing.local_door import local_door

    document = deployed(api)
    return Gateway(document, put_records, authorize=local_door(document, residents).check, limits=limits)


def _media_type(head: Head) -> str:
    # What has no body has none that could be of the wrong type, whatever is said of it.
    given = JSON if head.method in _BODILESS else head.headers.get("content-type", JSON)
    return given.partition(";")[0].strip().lower()


def _params(head: Head) -> dict[str, dict[str, str]]:
    headers = {name: value if value.isascii() else _utf8(value) for name, value in head.headers.items()}
    if "content-type" in headers:
        # Media types know no case (RFC 9110, 8.3.1). Whether API Gateway's do is not known: there, templates look again.
        media_type, semicolon, parameters = headers["content-type"].partition(";")
        headers["content-type"] = media_type.strip().lower() + semicolon + parameters
    return {"path": {}, "querystring": dict(parse_qsl(head.query)) if head.query else {}, "header": headers}


def _utf8(value: str) -> str:
    """A header as its sender most likely meant it. How API Gateway reads it is not known: keys in headers are ASCII."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except ValueError:
        return value


def _context(head: Head, operation: Operation) -> dict[str, Any]:
    return {
        "requestId": head.request_id,
        "requestTimeEpoch": int(time.time() * 1000),
        "httpMethod": head.method,
        "path": head.path,
        "resourcePath": operation.resource,
        "identity": {"sourceIp": head.source_ip, "userAgent": head.headers.get("user-agent", "")},
        "responseOverride": {"status": None, "header": {}},
    }
