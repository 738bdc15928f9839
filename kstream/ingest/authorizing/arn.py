"""The ARN of a method of a deployed API."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kstream.core.errors import EventError

_METHOD_ARN = re.compile(
    r"arn:(?P<partition>[\w-]+):execute-api:(?P<region>[\w-]+):(?P<account>\w+):"
    r"(?P<api_id>[\w-]+)/(?P<stage>[^/*?]+)/(?P<method>[A-Z]+)(?:/(?P<path>.*))?",
    re.DOTALL,
)
_STREAM_PATH = re.compile(r"/streams/([^/]+)/records(?:/batch)?")


@dataclass(frozen=True, slots=True)
class MethodArn:
    """``arn:{partition}:execute-api:{region}:{account}:{api_id}/{stage}/{method}{path}``; ``path`` begins with ``/``."""

    partition: str
    region: str
    account: str
    api_id: str
    stage: str
    method: str
    path: str

    @classmethod
    def parse(cls, text: object) -> MethodArn:
        """Raises ``EventError`` for what is no such ARN."""
        match = _METHOD_ARN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise EventError("the event has no methodArn like arn:aws:execute-api:region:account:api/stage/METHOD/path")
        parts = match.groupdict()
        return cls(**(parts | {"path": "/" + (parts["path"] or "")}))

    @property
    def stage_arn(self) -> str:
        """The deployed stage; every method's ARN begins with it."""
        return f"arn:{self.partition}:execute-api:{self.region}:{self.account}:{self.api_id}/{self.stage}"

    @property
    def stream(self) -> str | None:
        """The stream that the method puts to; None for any other method."""
        match = _STREAM_PATH.fullmatch(self.path)
        return match[1] if match and self.method == "POST" else None

    def __str__(self) -> str:
        return f"{self.stage_arn}/{self.method}{self.path}"
