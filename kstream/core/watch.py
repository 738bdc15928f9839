"""Who must be asked before a record is tried, and told once it is settled: the circuit, the ledger, the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kstream.core.breaker import Circuit
    from kstream.core.idempotency import Duplicates
    from kstream.core.journal import Journal
    from kstream.core.ports import Clock
    from kstream.core.progress import Progress


class Watch:
    """Thread-safe. Most consumers have nobody to ask or to tell; that costs them nothing.

    ``asks``    whether ``admits`` can say no.
    ``tells``   whether ``settled`` has anything to do; ``writes``: and it may block on the ledger.
    """

    __slots__ = ("_circuit", "_clock", "_progress", "asks", "duplicates", "journal", "tells", "writes")

    def __init__(
        self,
        progress: Progress,
        clock: Clock,
        *,
        circuit: Circuit | None = None,
        journal: Journal | None = None,
        duplicates: Duplicates | None = None,
    ) -> None:
        self._progress = progress
        self._clock = clock
        self._circuit = circuit
        self.journal = journal
        self.duplicates = duplicates
        self.asks = circuit is not None or duplicates is not None
        self.writes = journal is not None and journal.writes_along
        self.tells = self.asks or self.writes

    @property
    def in_doubt(self) -> bool:
        """Whether a circuit waits to hear how the record that it admitted fared."""
        return self._circuit is not None and self._circuit.in_doubt

    def admits(self, index: int) -> bool:
        """Whether record ``index`` may be tried now."""
        if self._circuit is not None and not self._circuit.admits(self._clock.monotonic()):
            self._progress.stop()
            return False
        return self.duplicates is None or self.duplicates.admits(index)

    def settled(self, index: int, *, processed: bool = True) -> None:
        """Record ``index`` is done, or (``processed=False``) in the dead letters. May write to the ledger."""
        if processed and self._circuit is not None:
            self._circuit.succeeded()
        if self.duplicates is not None:
            self.duplicates.settled(index)
        if self.journal is not None and self.writes:
            self.journal.note(self._progress.batch, index)
            if self.duplicates is not None:
                self.journal.save_keys(self.duplicates.take_fresh())

    def released(self, index: int) -> None:
        """Record ``index`` was tried and is not done."""
        if self.duplicates is not None:
            self.duplicates.released(index)

    def opens_circuit(self, error: Exception) -> bool:
        """Counts a failed attempt; True if it is a dependency's failure and nothing more should be tried."""
        return self._circuit is not None and self._circuit.failed(error, self._clock.monotonic())
