"""Where items lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.redrive.item import Item


class Source(Protocol):
    """Holds items. Use from one thread. Raises ``DeadLetterError``, and ``ConfigurationError`` if it is not there.

    ``name``        the same for the same place, however it was spelled: the journal knows it by this.
    ``can_delete``  False for a stream and for a file of lines: there the journal alone tells what was redriven.
    """

    @property
    def name(self) -> str: ...

    @property
    def can_delete(self) -> bool: ...

    def items(self) -> Iterator[Item]:
        """Everything that is there, one by one. Nothing is taken away, and nothing is left out: not what cannot be read
        either. An item may be deleted while this goes on."""
        ...

    def count(self) -> int | None:
        """How many items there are, roughly; None where finding out takes as long as looking at them."""
        ...

    def delete(self, item: Item) -> bool:
        """Deletes this very item, durably. False if a later letter of the same record stands in its place: that one
        stays. Harmless when it is gone already."""
        ...

    def close(self) -> None:
        """Gives back what ``items`` holds: whoever looks next sees everything that was not deleted."""
        ...
