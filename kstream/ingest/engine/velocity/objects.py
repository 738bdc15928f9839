"""What API Gateway gives to its templates: ``$input`` and the functions of ``$util``.

Source: developer guide, "Variables for data transformations for API Gateway".
"""

from __future__ import annotations

import json
import re
from binascii import b2a_base64
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import Any

_PATH = re.compile(r"\$((?:\.[A-Za-z_][A-Za-z0-9_]*)*)")
_NOT_READ = object()
_HEX = re.compile(r"\\\\|\\u[0-9a-f]{4}")


class Input:
    """``$input``. ``params``: ``path``, ``querystring`` and ``header``, each a map of names to values.

    ``body``      as text; None if there is only the document. An empty body is ``{}`` to templates (LocalStack's
                  recordings of AWS, 2025).
    ``document``  the body's JSON, if somebody has parsed it already.
    """

    __slots__ = ("_body", "_document", "_params")

    def __init__(self, body: str | None, params: dict[str, dict[str, str]], document: Any = _NOT_READ) -> None:
        self._body = body
        self._params = params
        self._document = document

    @property
    def body(self) -> str:
        """The raw body."""
        if self._body is None:
            self._body = json.dumps(self._document, ensure_ascii=False, separators=(",", ":"))
        return self._body or "{}"

    def path(self, path: str) -> Any:
        """What stands there in the body, as an object; null for nothing, and if the body is no JSON."""
        if self._document is _NOT_READ:
            try:
                self._document = json.loads(self._body or "{}")
            except (ValueError, RecursionError):
                self._document = None
        value = self._document
        for name in _steps(path):
            if type(value) is not dict:
                return None
            value = value.get(name)
        return value

    def json(self, path: str) -> str:
        """What stands there, as JSON; ``""`` for nothing."""
        value = self.path(path)
        return '""' if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def params(self, name: str | None = None) -> Any:
        """All of them; or the one of that name, sought in path, query string and headers, and else empty."""
        if name is None:
            return self._params
        return next((found for kind in self._params.values() if (found := kind.get(name))), "")


def escape_javascript(value: Any) -> str:
    r"""``$util.escapeJavaScript``: commons-lang's, which is JSON's escaping but for ``\'`` and ``\/``."""
    escaped = encode_basestring_ascii(_text(value))[1:-1]
    if "\\u" in escaped:
        escaped = _HEX.sub(_upper, escaped)
    return escaped.replace("/", "\\/").replace("'", "\\'")


def base64_encode(value: Any) -> str:
    """``$util.base64Encode``: of the text's UTF-8."""
    return b2a_base64(_text(value).encode(), newline=False).decode()


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"$util takes text, not {type(value).__name__}")
    return value


def _upper(match: re.Match[str]) -> str:
    escape = match.group()
    if escape == "\\u007f":
        return "\x7f"
    return escape if escape == "\\\\" else "\\u" + escape[2:].upper()


@cache
def _steps(path: str) -> tuple[str, ...]:
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError(f"of JSONPath there is $.name.name here, not {path!r}")
    return tuple(match.group(1).split(".")[1:])
