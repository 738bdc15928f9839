"""Which items are meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kstream.redrive.item import Unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from kstream.redrive.item import Item


@dataclass(frozen=True, slots=True)
class Selection:
    """All conditions must hold; without any, every item is meant.

    ``keys``      ids, keys, or the names that the items have in their source.
    ``consumer``  the whole name. ``reason`` a part of the reason, in whatever case.
    ``since``     given up then or later. What has no readable time is meant too: it must not go unseen.
    """

    keys: frozenset[str] = frozenset()
    consumer: str | None = None
    reason: str | None = None
    since: datetime | None = None

    def takes(self, item: Item) -> bool:
        if self.keys and self.keys.isdisjoint(names_of(item)):
            return False
        if self.consumer is not None and item.consumer != self.consumer:
            return False
        if self.reason is not None and self.reason.casefold() not in item.reason.casefold():
            return False
        if self.since is None or isinstance(item.content, Unreadable):
            return True
        return item.when is not None and item.when >= self.since


def names_of(item: Item) -> frozenset[str]:
    """What a person may call this item."""
    return frozenset((item.id, item.key, item.ref))
