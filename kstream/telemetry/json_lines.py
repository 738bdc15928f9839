"""Log lines as JSON: a formatter and a filter for the standard library's logging. Neither configures anything by itself."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kstream.core.context import current_record, follow_records
from kstream.telemetry import log_fields as names
from kstream.telemetry.plain_values import PlainValues
from kstream.telemetry.texts import cut, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.core.record import Record

LINE_LIMIT = 250_000
"""Bytes of a line. CloudWatch Logs took events of 256 KB until 2025 and takes 1 MB since; others still take 256 KB.
https://aws.amazon.com/about-aws/whats-new/2025/04/amazon-cloudwatch-logs-increases-log-event-size-1-mb/"""

PAYLOAD_LENGTH = 4_096

_TEXT_LENGTHS = (32_768, 2_048, 128)
"""Characters of each text in a line: fewer, until the line is short enough."""

_METRICS_MARK = "_aws"
"""What CloudWatch knows a line of metrics by."""

_OWN = (names.TIMESTAMP, names.LEVEL, names.LOGGER, names.MESSAGE, _METRICS_MARK)

# What a LogRecord has without anybody's ``extra``, and what Lambda's runtime client adds to it.
_NOT_EXTRA = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "aws_request_id",
    "tenant_id",
    "_frame_type",
}


class ContextFilter(logging.Filter):
    """Puts what is in hand on every ``LogRecord``: the fields of ``log_fields.IN_HAND``, each None where it is unknown.

    For a ``QueueHandler``, whose lines are formatted in another thread, and for formatters of your own, as in
    ``%(sequence_number)s``. ``JsonFormatter`` needs it only behind a queue. Give it to handlers: a logger's filter does
    not see the lines of the loggers below it.

    What a line's ``extra=`` says stays. Thread-safe; raises nothing. Making one has kstream follow each record from the
    next batch on, for the life of the process.
    """

    def __init__(self) -> None:
        super().__init__()
        follow_records()

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        known = names.in_hand(record.created)
        own = record.__dict__
        for name in names.IN_HAND:
            own.setdefault(name, known.get(name))
        if (error := _error_of(record)) is not None:
            # A queue's handler keeps the traceback as text alone.
            own.setdefault(names.ERROR_TYPE, type(error).__name__)
            own.setdefault(names.ERROR_MESSAGE, text_of(error))
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII, with the names of ``log_fields``: what the line says, what is in hand in the
    thread or task that says it, the exception, and the fields of ``extra=``.

    ``service``         a field on each line, if given.
    ``payloads``        whether the payload of the record in hand is added. Never otherwise.
    ``redact``          what to show in its place: it is given the record and returns a text, bytes or anything that JSON
                        has; None leaves it out. If it raises, the payload is left out, and the line says so.
    ``payload_length``  characters of it at most.

    No payload goes through a queue: behind one it is left out, and the line says so. Give the ``JsonFormatter`` to the
    ``QueueHandler``, whose lines are then written where they are logged.

    An ``extra`` named like a field of its own (``level``) gets an underscore (``level_``). So does ``_aws``, or whoever
    writes what is logged could make metrics of it in CloudWatch. A value that is not JSON becomes its text. A line has at
    most ``LINE_LIMIT`` bytes; one that was longer says ``"cut": true``. Thread-safe; raises nothing. Making one has kstream
    follow each record, as ``ContextFilter`` does.
    """

    def __init__(
        self,
        *,
        service: str | None = None,
        payloads: bool = False,
        redact: Callable[[Record], object] | None = None,
        payload_length: int = PAYLOAD_LENGTH,
    ) -> None:
        super().__init__()
        self._service = service
        self._payloads = payloads
        self._redact = redact
        self._payload_length = payload_length
        follow_records()

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        try:
            return _line(self._head(record), self._more(record))
        except Exception as error:  # noqa: BLE001 - a line that is lost would be noticed by nobody
            return json.dumps(
                {
                    names.TIMESTAMP: _timestamp(datetime.now(UTC)),
                    names.LEVEL: text_of(record.levelname)[:100],
                    names.LOGGER: text_of(record.name)[:1_000],
                    names.MESSAGE: text_of(record.msg)[:1_000],
                    names.LOGGING_ERROR: type(error).__name__,
                }
            )

    def _head(self, record: logging.LogRecord) -> dict[str, object]:
        """What the line says, where, and why."""
        own = record.__dict__
        head: dict[str, object] = {
            names.TIMESTAMP: _timestamp(datetime.fromtimestamp(record.created, UTC)),
            names.LEVEL: record.levelname,
            names.LOGGER: record.name,
        }
        try:
            structured = isinstance(record.msg, dict) and not record.args
            head[names.MESSAGE] = record.msg if structured else record.getMessage()
        except Exception as error:  # noqa: BLE001 - a __str__ of the user's, or a message and arguments that do not fit
            head[names.MESSAGE] = text_of(record.msg)
            head[names.LOGGING_ERROR] = f"{type(error).__name__}: {text_of(error)}"
        if self._service is not None:
            head[names.SERVICE] = self._service
        # Where a ContextFilter was at work, everything is there, from the thread that logged.
        known = {} if all(name in own for name in names.IN_HAND) else names.in_hand(record.created)
        for name in names.IN_HAND:
            if (value := own.get(name, known.get(name))) is not None:
                head[name] = value
        if names.REQUEST_ID not in head and own.get("aws_request_id"):
            head[names.REQUEST_ID] = own["aws_request_id"]  # Lambda's runtime client knows it also outside any batch
        head |= self._failure(record)
        if self._payloads:
            head |= self._payload(own)
        return head

    def _failure(self, record: logging.LogRecord) -> dict[str, object]:
        fields: dict[str, object] = {}
        if (error := _error_of(record)) is not None:
            fields[names.ERROR_TYPE] = type(error).__name__
            fields[names.ERROR_MESSAGE] = error
        if record.exc_text or error is not None:
            fields[names.TRACEBACK] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        if record.stack_info:
            fields[names.STACK] = record.stack_info
        return fields

    def _payload(self, own: dict[str, object]) -> dict[str, object]:
        if (record := current_record()) is None:
            # A record was in hand where the line was logged, but this is another thread.
            return {names.PAYLOAD_LEFT_OUT: "not in hand"} if own.get(names.PARTITION_KEY) is not None else {}
        try:
            shown = record.data if self._redact is None else self._redact(record)
            if isinstance(shown, bytes | bytearray):
                # More than are shown, for what takes several bytes a character; never the whole of a megabyte.
                shown = shown[: 4 * self._payload_length].decode(errors="backslashreplace")
            plain = PlainValues(self._payload_length).of(shown)
            if not isinstance(plain, str) and len(written := json.dumps(plain)) > self._payload_length:
                plain = cut(written, self._payload_length)
        except Exception as error:  # noqa: BLE001 - the user's hook: what it cannot redact is not shown
            return {names.PAYLOAD_LEFT_OUT: type(error).__name__}
        return {} if plain is None else {names.PAYLOAD: plain}

    def _more(self, record: logging.LogRecord) -> dict[str, object]:
        """What ``extra=`` added."""
        more = {}
        for name, value in list(record.__dict__.items()):
            if name not in _NOT_EXTRA and name not in names.IN_HAND:
                more[f"{name}_" if name in _OWN else name] = value
        if (tenant := record.__dict__.get("tenant_id")) is not None:
            more["tenant_id"] = tenant
        return more


def _line(head: dict[str, object], more: dict[str, object]) -> str:
    for longest in _TEXT_LENGTHS:
        if len(line := _written(head | more, longest)) <= LINE_LIMIT:
            return line
    # So much can only be what the user gave as a whole: the fields of ``extra``, or a dictionary as the message.
    message = head[names.MESSAGE]
    head[names.MESSAGE] = message if isinstance(message, str) else f"<{type(message).__name__}>"
    return _written(head | {names.CUT: True}, _TEXT_LENGTHS[-1])


def _written(fields: dict[str, object], longest: int) -> str:
    written: dict[str, object] = {}
    shortened = False
    for name, value in fields.items():
        plain = PlainValues(longest)
        written[plain.text(name)] = plain.of(value)
        shortened |= plain.cut
    if shortened:
        written[names.CUT] = True
    return json.dumps(written)


def _error_of(record: logging.LogRecord) -> BaseException | None:
    given = record.exc_info
    error = given[1] if isinstance(given, tuple) and len(given) == 3 else None
    return error if isinstance(error, BaseException) else None


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
