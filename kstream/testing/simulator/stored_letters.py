"""Whether a dead-letter sink keeps what it takes: asked once a history has ended, where the sink can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.dead_letter import DeadLetter
from kstream.core.errors import DeadLetterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kstream.core.ports import DeadLetterSink
    from kstream.testing.simulator.truth import Truth


def tells(sink: DeadLetterSink) -> bool:
    """Whether it has ``letters``, as all of kstream's sinks have that can be read: an iterable, or a method for one."""
    return hasattr(sink, "letters")


def check(sink: DeadLetterSink, truth: Truth) -> None:
    """Every letter that it took must be among those that it gives back, payload and all."""
    if not truth.letters:
        return
    kept = {_name(letter) for letter in _letters(sink)}
    for item, letter in truth.letters.items():
        if _name(letter) not in kept:
            truth.violated("lost", f"the dead letter of {item} was taken by its sink, and is not among its letters")


def _letters(sink: Any) -> Iterable[DeadLetter]:
    letters = sink.letters
    for stored in letters() if callable(letters) else letters:
        if isinstance(stored, DeadLetter):
            yield stored
            continue
        try:
            yield stored.letter()
        except DeadLetterError:
            continue  # something else lies beside them


def _name(letter: DeadLetter) -> tuple[str, str, bytes]:
    return letter.consumer, letter.record.id, letter.record.data
