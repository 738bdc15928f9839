"""HTTP headers from a command line, also from a file, where a secret is better kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kstream.ingest.auth import SetHeaders


def header_setter(given: Iterable[str]) -> SetHeaders | None:
    """From ``Name: value`` or ``@FILE`` with one a line, what sets them; None without any."""
    headers = dict(_header(line) for text in given for line in _lines(text))
    return (lambda request: request.update(headers)) if headers else None


def _lines(text: str) -> list[str]:
    if not text.startswith("@"):
        return [text]
    try:
        return [line for line in Path(text[1:]).read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise ConfigurationError(f"cannot read the headers in {text[1:]}: {error.strerror}") from error


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        # Not the line itself: it may hold a secret.
        raise ConfigurationError("a --header is 'Name: value', or @FILE with one a line")
    return name.strip().lower(), value.strip()
