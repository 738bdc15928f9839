"""Methods and properties that templates may ask of values: of Java's strings, lists and maps, and of ``$input``.

A property of a map is what it holds; a method is never looked up there. So a request can give a key any name it likes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kstream.ingest.engine.velocity.errors import TemplateError
from kstream.ingest.engine.velocity.objects import Input, base64_encode, escape_javascript

Variables = dict[str, Any]
Expression = Callable[[Variables], Any]

_METHODS: dict[type, dict[str, Callable[..., Any]]] = {
    str: {
        "contains": lambda text, part: part in text,
        "length": len,
        "startsWith": lambda text, prefix: text.startswith(prefix),
    },
    list: {"size": len},
    dict: {"get": lambda mapping, key: mapping.get(key)},
    Input: {"path": Input.path, "json": Input.json, "params": Input.params},
}
_UTIL: dict[str, Callable[[Any], str]] = {"escapeJavaScript": escape_javascript, "base64Encode": base64_encode}
_REPLACEMENT = re.compile(r"(?:[^\\$]|\$[1-9](?![0-9]))*")
_KNOWN = {name for methods in _METHODS.values() for name in methods} | {"matches", "replaceAll"}


def util_function(name: str) -> Callable[[Any], str]:
    """Of ``$util``."""
    if name not in _UTIL:
        raise TemplateError(f"$util.{name} is not built here")
    return _UTIL[name]


def property_of(target: object, name: str) -> Any:
    """Of anything but a map; null has no properties."""
    if type(target) is Input and name == "body":
        return target.body
    if target is None:
        return None
    raise TypeError(f"a {type(target).__name__} has no {name}")


def method(name: str, of: Expression, arguments: list[Expression]) -> Expression:
    """A call, compiled. A call on null is null, as it is in Velocity."""
    if name not in _KNOWN:
        raise TemplateError(f"the method {name} is not built here")
    if name == "replaceAll":
        return _replace_all(of, arguments)
    if name == "matches":
        return _matches(of, arguments)

    def call(variables: Variables) -> Any:
        target = of(variables)
        if target is None:
            return None
        return _METHODS[type(target)][name](target, *[argument(variables) for argument in arguments])

    return call


def _matches(of: Expression, arguments: list[Expression]) -> Expression:
    # Java's and Python's patterns agree on what is written here.
    (pattern,) = (argument({}) for argument in arguments)
    if not isinstance(pattern, str):
        raise TemplateError(f"matches({pattern!r}) is not built here")
    fullmatch = re.compile(pattern).fullmatch

    def call(variables: Variables) -> Any:
        target = of(variables)
        return None if target is None else fullmatch(target) is not None

    return call


def _replace_all(of: Expression, arguments: list[Expression]) -> Expression:
    # Java's and Python's patterns agree on what is written here. In a replacement ``$1`` is Java's word for a group; a
    # backslash and any other ``$`` they read differently.
    pattern, replacement = (argument({}) for argument in arguments)
    if not isinstance(pattern, str) or not isinstance(replacement, str) or not _REPLACEMENT.fullmatch(replacement):
        raise TemplateError(f"replaceAll({pattern!r}, {replacement!r}) is not built here")
    replacement = re.sub(r"\$([1-9])", r"\\g<\1>", replacement)
    substitute = re.compile(pattern).sub

    def call(variables: Variables) -> Any:
        target = of(variables)
        return None if target is None else substitute(replacement, target)

    return call
