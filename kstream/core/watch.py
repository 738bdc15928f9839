"""Who must be asked before a record is tried, and told once it is settled: the circuit, the ledger, the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kstream.core.breaker import Circuit
    from kstream.core.idempotency import Duplicates
    from kstream.core.journal import Journal
    from kstream.core.ports import Clock
    from kstream.core.progress import Progress


class Watch:
    """Thread-safe. Most consumers have nobody to ask or to tell; that costs them nothing.

    ``asks``        whether ``admits`` can say no.
    ``tells``       whether ``settled`` has anything to do.
    ``writes``      whether ``write`` ever has: where it is due, it blocks on the ledger.
    ``notes_keys``  whether idempotency keys are the journal's to save. A transaction writes them itself.
    """

    __slots__ = ("_circuit", "_clock", "_notes_keys", "_progress", "asks", "duplicates", "journal", "tells", "writes")

    def __init__(
        self,
        progress: Progress,
        clock: Clock,
        *,
        circuit: Circuit | None = None,
        journal: Journal | None = None,
        duplicates: Duplicates | None = None,
        notes_keys: bool = True,
    ) -> None:
        self._progress = progress
        self._clock = clock
        self._circuit = circuit
        self._notes_keys = notes_keys
        self.journal = journal
        self.duplicates = duplicates
        self.asks = circuit is not None or duplicates is not None
        self.writes = journal is not None and journal.writes_along
        self.tells = self.asks or self.writes

    @property
    def circuit_open(self) -> bool:
        """Whether the circuit is open: then at most one record will be admitted, until that one is done."""
        return self._circuit is not None and self._circuit.open

    @property
    def in_doubt(self) -> bool:
        """Whether a circuit waits to hear how the record that it admitted fared."""
        return self._circuit is not None and self._circuit.in_doubt

    def admits(self, index: int, ended: Callable[[], object] | None = None) -> bool | None:
        """Whether record ``index`` may be tried now. None: nobody can say before its twin has ended; see ``Duplicates``."""
        if self.duplicates is not None and not (admitted := self.duplicates.admits(index, ended)):
            return admitted
        # Asked last: an open circuit admits one record, and that one must then be tried.
        if self._circuit is not None and not self._circuit.admits(self._clock.monotonic()):
            self.released(index)
            self._progress.stop()
            return False
        return True

    @property
    def due(self) -> bool:
        """Whether ``write`` has something to write."""
        return self.journal is not None and self.journal.due

    def settled(self, index: int, *, processed: bool = True) -> None:
        """Record ``index`` is done, or (``processed=False``) in the dead letters. Takes note of it, and never blocks.

        To be called before the record's state says so: whatever the end of the batch finds done must have been noted. What
        is noted is written by ``write``, which may take its time, and by the end of the batch.
        """
        key = None
        if processed:
            if self._circuit is not None:
                self._circuit.succeeded()
            if self.duplicates is not None and self._notes_keys:
                key = self.duplicates.key(index)
        if self.journal is not None and (self.writes or key is not None):
            self.journal.note(self._progress.batch.records[index].position, key)
        if self.duplicates is None:
            return
        # Last: a twin that waits is skipped from then on, and who skips it must not be alone in knowing why.
        if processed:
            self.duplicates.done(index)
        else:
            # No effect, so its idempotency key stays free: for a twin, and for the letter's own return.
            self.duplicates.released(index)

    def write(self) -> None:
        """Writes to the ledger what is noted, if it is due."""
        if self.journal is not None:
            self.journal.write()

    def put_off(self, error: Exception) -> None:
        """Nobody can write just now, for this reason: the end of the batch will."""
        if self.journal is not None:
            self.journal.put_off(error)

    def released(self, index: int) -> None:
        """Record ``index`` was tried and is not done."""
        if self.duplicates is not None:
            self.duplicates.released(index)

    def left(self, indexes: Iterable[int]) -> None:
        """Whoever had these records in hand has gone, however that came: none of them is under way any more."""
        if self.duplicates is not None:
            for index in indexes:
                self.duplicates.released(index)

    def opens_circuit(self, error: Exception) -> bool:
        """Counts a failed attempt; True if it is a dependency's failure and nothing more should be tried."""
        return self._circuit is not None and self._circuit.failed(error, self._clock.monotonic())
