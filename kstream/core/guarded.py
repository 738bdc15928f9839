"""Stores held to their port: whatever they raise becomes the one error that it names, and so degrades as documented."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from inspect import isawaitable, iscoroutine
from logging import ERROR
from typing import TYPE_CHECKING, TypeVar

from kstream.core.errors import DeadLetterError, LedgerError
from kstream.core.logger import log
from kstream.core.ports import WaitingLedger

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from kstream.core.dead_letter import DeadLetter
    from kstream.core.patience import Patience
    from kstream.core.ports import DeadLetterSink, Ledger, Scope

T = TypeVar("T")


class GuardedLedger:
    """A ledger that raises ``LedgerError`` and nothing else. As thread-safe as the one inside."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._guard = Guard(LedgerError)
        self._waits = isinstance(ledger, WaitingLedger)  # asked once: it costs more than a read of memory

    def within(self, patience: Patience) -> Self:
        """The same one, hurried, if the one inside lets itself be hurried."""
        if not self._waits:
            return self
        hurried = copy(self)
        try:
            hurried._ledger = self._guard.call(self._ledger.within, patience)  # type: ignore[attr-defined]  # noqa: SLF001
        except LedgerError:
            return self  # which the guard has told
        return hurried

    def load(self, scope: Scope, first: int, last: int) -> Mapping[int, int]:
        done: object = self._guard.call(self._ledger.load, scope, first, last)
        if not isinstance(done, Mapping) or not all(map(_is_entry, done.items())):
            raise self._guard.broken(self._ledger.load, done, "sequence numbers with their bitmaps")
        return done

    def save(self, scope: Scope, done: Mapping[int, int]) -> None:
        self._guard.do(self._ledger.save, scope, done, wanted="None, with it saved")

    def load_keys(self, scope: Scope, keys: Collection[str]) -> Collection[str]:
        known: object = self._guard.call(self._ledger.load_keys, scope, keys)
        # Text is a collection of letters; a mapping may hold keys to say that they are not known.
        if (
            not isinstance(known, Collection)
            or isinstance(known, str | Mapping)
            or not all(isinstance(key, str) for key in known)
        ):
            raise self._guard.broken(self._ledger.load_keys, known, "which of the keys it knows")
        return known

    def save_keys(self, scope: Scope, keys: Collection[str]) -> None:
        self._guard.do(self._ledger.save_keys, scope, keys, wanted="None, with it saved")


class GuardedSink:
    """A dead-letter sink that raises ``DeadLetterError`` and nothing else. As thread-safe as the one inside."""

    def __init__(self, sink: DeadLetterSink) -> None:
        self._sink = sink
        self._guard = Guard(DeadLetterError)

    def put(self, letter: DeadLetter) -> None:
        self._guard.do(self._sink.put, letter, wanted="None, with the letter stored")


class Guard:
    """Turns what a store may not raise into what it may. The first of each kind is logged, with its traceback."""

    def __init__(self, allowed: type[LedgerError | DeadLetterError]) -> None:
        self._allowed = allowed
        self._told: set[type[Exception]] = set()

    def call(self, method: Callable[..., T], *args: object) -> T:
        try:
            return method(*args)
        except self._allowed:
            raise
        except Exception as error:
            raise self.told(method, error) from error

    def do(self, method: Callable[..., object], *args: object, wanted: str) -> None:
        """Calls what has done it all once it returns. One that says False, or would have to be awaited, has not."""
        answer = self.call(method, *args)
        if answer is False or isawaitable(answer):
            raise self.broken(method, answer, wanted)

    def told(self, method: Callable[..., object], error: Exception) -> Exception:
        """What stands for ``error``, which this method may not raise."""
        from traceback import format_exception_only

        said = "".join(format_exception_only(error)).strip()  # also of an exception whose __str__ is broken
        if type(error) not in self._told:
            self._told.add(type(error))
            log(
                ERROR,
                "%s raised what its port does not allow; taken for %s",
                _name(method),
                self._allowed.__name__,
                error=error,
            )
        return self._allowed(f"{_name(method)} raised {said}")

    def broken(self, method: Callable[..., object], answer: object, wanted: str) -> Exception:
        """What stands for an answer that this method may not give."""
        if iscoroutine(answer):
            answer.close()  # or Python warns of it, long after
        return self._allowed(f"{_name(method)} returned {answer!r}, not {wanted}")


def _is_entry(entry: tuple[object, object]) -> bool:
    sequence, bitmap = entry
    # Of a negative number, as a column of 64 bits makes it of the highest bit, all further bits are set.
    return isinstance(sequence, int) and isinstance(bitmap, int) and bitmap >= 0


def _name(method: Callable[..., object]) -> str:
    return getattr(method, "__qualname__", repr(method))
