"""Where items go: units to send, and what may come of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kstream.core.dead_letter import DeadLetter
    from kstream.redrive.on_failure import OnFailureMessage


@dataclass(frozen=True, slots=True)
class Sent:
    """It took effect. ``detail`` says how: a new position, or what the consumer did."""

    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It certainly took no effect that counts: the item stays, and may be redriven again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can know whether it took effect."""

    reason: str


Result = Sent | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Unit:
    """What is sent in one go. ``name`` is unique and the same for ever within its item."""

    name: str
    send: Callable[[], Result]


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do for an item. ``gone``: Kinesis records that it names and that are not there any more."""

    units: Sequence[Unit]
    gone: int = 0


class Destination(Protocol):
    """Takes items. Use from one thread.

    ``name``      for the journal and for people.
    ``doubtful``  whether a unit that was interrupted may have taken effect with nothing to tell by. If not, sending it
                  again is as safe as the destination itself is.
    """

    @property
    def name(self) -> str: ...

    @property
    def doubtful(self) -> bool: ...

    def objection(self, letter: DeadLetter) -> str | None:
        """Why it will not take this letter, however often it is asked; None if it will try."""
        ...

    def letter(self, letter: DeadLetter) -> Work: ...

    def message(self, message: OnFailureMessage) -> Work:
        """Raises ``ReadError`` if the stream cannot be read just now."""
        ...

    def close(self) -> None: ...
