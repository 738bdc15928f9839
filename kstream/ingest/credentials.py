"""Secrets that go into a header, checked when they are given and when they are fetched. Nothing of them is told."""

from __future__ import annotations

from kstream.core.errors import ConfigurationError


def checked_secret(what: str, given: object, *, blanks: bool = True) -> str:
    """The secret, if a header carries it unchanged; else ``ConfigurationError``.

    ``what``    how the user wrote it: ``BearerToken(token)``.
    ``blanks``  whether it may hold some within. A bearer token has none (RFC 6750, 2.1).
    """
    if given is None:
        raise ConfigurationError(f"{what} is None: is the environment variable set from which it is read?")
    if not isinstance(given, str):
        raise ConfigurationError(f"{what} is a value of type {type(given).__name__}; give text")
    if not given:
        raise ConfigurationError(f"{what} is empty: is the environment variable set from which it is read?")
    if not (given.isascii() and given.isprintable()) or given != given.strip():
        raise ConfigurationError(
            f"{what} holds a line break, another control character, a blank at an end, or other characters than ASCII, "
            "and no header can carry it: strip what is read from a file"
        )
    if not blanks and " " in given:
        raise ConfigurationError(f"{what} holds a blank, and no token does: give it without the word Bearer")
    return given
