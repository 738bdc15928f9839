"""JSON log lines in Lambda, with what is in hand.

AWS's runtime client (awslambdaric, https://github.com/aws/aws-lambda-python-runtime-interface-client) gives the root
logger one handler before it imports the function's module, and sets the level from ``AWS_LAMBDA_LOG_LEVEL``. Its handler
ends no line: the formatter does. Where Lambda is told to log JSON, that formatter also marks each record with a frame
type, by which the platform knows the line's level and that it is JSON already.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kstream.telemetry.json_lines import ContextFilter, JsonFormatter

if TYPE_CHECKING:
    from kstream.settings import Settings

_RUNTIMES = ("awslambdaric", "bootstrap")
_MARK = "_frame_type"


def write_json_lines(settings: Settings) -> None:
    """Gives the root logger's handlers a ``JsonFormatter`` and a ``ContextFilter``.

    Those handlers that have the runtime's formatter, a plain ``logging.Formatter`` or none: a formatter of another class
    is the user's own choice, and stays. Without any handler, one for stderr is added. Levels stay as they are. Repeating
    it changes nothing.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    for handler in list(root.handlers):
        if _is_unclaimed(handler.formatter):
            handler.setFormatter(_RuntimesFormatter(settings.service, handler))
            handler.addFilter(ContextFilter())


def _is_unclaimed(formatter: logging.Formatter | None) -> bool:
    kind = type(formatter)
    return formatter is None or kind is logging.Formatter or kind.__module__.partition(".")[0] in _RUNTIMES


class _RuntimesFormatter(JsonFormatter):
    """Also ends the line and marks the record, where a handler leaves that to its formatter."""

    def __init__(self, service: str, handler: logging.Handler) -> None:
        super().__init__(service=service)
        self._before = handler.formatter
        self._end = "" if hasattr(handler, "terminator") else "\n"
        self._marks: dict[int, object] = {}

    def format(self, record: logging.LogRecord) -> str:
        if (mark := self._mark(record.levelno)) is not None:
            setattr(record, _MARK, mark)
        return super().format(record) + self._end

    def _mark(self, level: int) -> object:
        """What the formatter before this one would mark a record of this level with."""
        if level not in self._marks:
            probe = logging.makeLogRecord({"levelno": level, "aws_request_id": "", "tenant_id": None})
            if self._before is not None and type(self._before) is not logging.Formatter:
                self._before.format(probe)
            self._marks[level] = getattr(probe, _MARK, None)
        return self._marks[level]
