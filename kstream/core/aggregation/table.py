"""The tables of keys that the entries of an aggregate point into."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Table:
    """Keys in the order of their indexes. Found and counted while the aggregate is read, but text only when asked for.

    The KPL writes a table as one run of entries with sizes of one byte; of those only the ends are kept.
    """

    __slots__ = ("_count", "_later", "_raw", "_start", "_stop", "_texts")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._start = self._stop = 0
        self._count = 0
        self._later: list[tuple[int, int]] = []
        self._texts: list[str] | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> str:
        texts = self._texts
        if texts is None:
            texts = self._texts = self._decode()  # two threads would store the same
        return texts[index]

    def read_run(self, at: int, end: int, tag: int) -> int:
        """Finds the run of entries at ``at``, up to the first of another tag or with a size above one byte.

        Returns where that is. To be called once, first. The bytes must go on for two beyond ``end``.
        """
        raw = self._raw
        self._start = at
        count = 0
        while raw[at] == tag and (size := raw[at + 1]) < 0x80 and (stop := at + 2 + size) <= end:
            at = stop
            count += 1
        self._count = count
        self._stop = at
        return at

    def add(self, start: int, stop: int) -> None:
        """An entry that lies elsewhere."""
        self._later.append((start, stop))
        self._count += 1

    def _decode(self) -> list[str]:
        raw, at = self._raw, self._start
        texts: list[str] = []
        while at < self._stop:
            stop = at + 2 + raw[at + 1]
            texts.append(text(raw[at + 2 : stop]))
            at = stop
        texts.extend(text(raw[start:stop]) for start, stop in self._later)
        return texts


class Tables:
    """What the records of one aggregate are looked up in.

    ``hash_key_of`` and ``tags_of`` go by the index of the record, for those few that have any.
    """

    __slots__ = ("hash_key_of", "hash_keys", "keys", "tags_of")

    def __init__(self, raw: bytes) -> None:
        self.keys = Table(raw)
        self.hash_keys = Table(raw)
        self.hash_key_of: dict[int, int] = {}
        self.tags_of: dict[int, list[tuple[bytes, bytes]] | Mapping[str, str]] = {}


def text(raw: bytes) -> str:
    """As UTF-8; what is not (the KPL does not check) with escapes, so that different keys stay different."""
    return raw.decode(errors="backslashreplace")
