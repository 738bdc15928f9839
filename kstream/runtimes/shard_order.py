"""Which shards may be read: a child only after all its parents.

A reshard moves keys from a parent shard to its children; whoever reads a child before the parent is settled gets those
keys' records out of order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kstream.core.shards import Shard


def startable(shards: Iterable[Shard], *, ended: Collection[str], started: Collection[str]) -> list[Shard]:
    """The shards that are not started and may be, in the order of ``shards``.

    ``ended``: read to the end and settled. A parent that is not among ``shards`` has been trimmed away, so there is
    nothing to wait for.
    """
    listed = list(shards)
    unfinished = {shard.id for shard in listed} - set(ended)
    return [
        shard
        for shard in listed
        if shard.id in unfinished and shard.id not in started and unfinished.isdisjoint(shard.parents)
    ]
