"""Texts for a log line: of whatever object, and of whatever length."""

from __future__ import annotations


def text_of(value: object) -> str:
    """``str(value)`` that can be encoded and never raises."""
    try:
        # str() of bytes is an error under python -bb; what a __str__ returns may itself be a class of the user's.
        text = str.__str__(repr(value) if isinstance(value, bytes | bytearray) else str(value))
    except Exception as error:  # noqa: BLE001 - a __str__ of the user's
        text = f"<{type(value).__name__} without a text: {type(error).__name__}>"
    if text.isascii():
        return text
    return text.encode(errors="replace").decode()  # of half a character, as may stand alone in a str, a question mark


def cut(text: str, longest: int) -> str:
    """The beginning and the end of a text, and between them how much is left out: a traceback's end tells the most."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} ...({len(text) - 2 * half} characters left out)... {text[len(text) - half :]}"
