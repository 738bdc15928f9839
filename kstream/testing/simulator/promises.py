"""How often something may happen again, by what a consumer's ledger promises and by what befell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.core.consumer import LedgerMode
    from kstream.testing.simulator.truth import Truth

# A ledger that cannot be read or written, and two who work on one batch at once, cost what they cost.
_UNBOUNDED = ("ledger failures", "duplicates", "restarts")
_DEATHS = ("crashes", "timeouts")


@dataclass(frozen=True, slots=True)
class Promises:
    """``mode`` is None without a ledger. A ``BatchHandler`` is not ``one_by_one``: its effects happen all at once.
    ``workers`` is how many records may be in hand."""

    mode: LedgerMode | None
    save_every: int | None
    workers: int
    one_by_one: bool

    def check(self, truth: Truth, run_twice: int, happened: Mapping[str, int]) -> None:
        most = self.most_run_twice(happened)
        if most is not None and run_twice > most:
            truth.violated("twice", f"{run_twice} effect(s) happened again; at most {most} may, by what befell them")
        if self.mode is None or _any(happened, *_UNBOUNDED, *_DEATHS, "lost answers", "dead-letter failures"):
            return
        for item in truth.stream.items():
            if item.parked + item.effects > 1:
                truth.violated("twice", f"{item}: {item.effects} effect(s), {item.parked} dead letter(s), and no fault")
        if not happened.get("at once"):
            for key, count in truth.done_keys.items():
                if count > 1:
                    truth.violated("twice", f"{count} effects of the idempotency key {key!r}, and no fault")

    def most_run_twice(self, happened: Mapping[str, int]) -> int | None:
        """How many effects beyond the first of a record there may be; None: any number.

        A batch that is left unfinished is saved; one that is done is not, in sparse mode, so an answer that gets lost
        repeats it. ``save_every`` bounds what a process that ends forgets: the records that are not saved, and those
        in hand whose effect has just happened.
        """
        if self.mode is None:
            return None
        if self.mode == "transactional":
            return 0
        if _any(happened, *_UNBOUNDED):
            return None
        deaths = sum(happened.get(name, 0) for name in _DEATHS)
        lost = happened.get("lost answers", 0)
        every = 1 if self.mode == "full" else self.save_every
        if every is not None and (self.one_by_one or not deaths):
            return deaths * (every - 1 + self.workers) + lost * (every - 1)
        return None if deaths or lost else 0


def _any(happened: Mapping[str, int], *names: str) -> bool:
    return any(happened.get(name) for name in names)
