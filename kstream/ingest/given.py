"""What an API's parts are given, checked where it is given. Each check returns the value as it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.ingest.api import Text

# No control characters, no line or paragraph separators, and no half of a surrogate pair.
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_WORD = re.compile(r"[!-~]+")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]+)+-[0-9]{1,2}")


def text(where: str, given: object) -> str:
    """Not empty, and without control characters. ``where``: how the user wrote it, up to the value: ``Jwt(issuer``."""
    if not isinstance(given, str) or not _TEXT.fullmatch(given):
        raise ConfigurationError(f"{where}={_shown(given)}): text, not empty, without line breaks and the like")
    return given


def word(where: str, given: object) -> str:
    """Visible ASCII, at least one character of it."""
    if not isinstance(given, str) or not _WORD.fullmatch(given):
        raise ConfigurationError(f"{where}={_shown(given)}): text, not empty, of ASCII without blanks and line breaks")
    return given


def word_or_function(where: str, given: object) -> Text:
    """``word``, or a CloudFormation function."""
    if isinstance(given, Mapping) and given:
        return given
    return word(where, given)


def region(where: str, given: object) -> str:
    if not isinstance(given, str) or not _REGION.fullmatch(given):
        raise ConfigurationError(f"{where}={_shown(given)}): a region like 'eu-west-1', or None for the API's own")
    return given


def flag(where: str, given: object) -> bool:
    if type(given) is not bool:
        raise ConfigurationError(f"{where}={_shown(given)}): True or False")
    return given


def each(where: str, given: object, check: Callable[[str, object], Any]) -> tuple[Any, ...]:
    """A tuple, or a list, whose every value passes ``check``. Text is none: it would be taken for its letters."""
    if not isinstance(given, tuple | list):
        raise ConfigurationError(f"{where}={_shown(given)}): a tuple, also of one: ({_shown(given)},)")
    return tuple(check(f"{where}[{place}]", one) for place, one in enumerate(given))


def keep(part: object, **values: object) -> None:
    """Sets fields of a frozen part, in its ``__post_init__``."""
    for name, value in values.items():
        object.__setattr__(part, name, value)


def _shown(given: object) -> str:
    # An address may hold a password.
    return "..." if isinstance(given, str) and "@" in given else repr(given)
