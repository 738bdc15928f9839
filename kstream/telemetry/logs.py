"""What a batch tells its log. Bounded: the first failures of each sort, the others as counts by kind."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from kstream.core.context import about
from kstream.core.errors import Reject
from kstream.core.telemetry import Telemetry
from kstream.telemetry import log_fields as names
from kstream.telemetry.texts import cut, text_of
from kstream.telemetry.thread_place import place_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.core.outcome import Outcome
    from kstream.core.record import Record
    from kstream.core.telemetry import BatchContext

TOLD_PER_BATCH = 3
"""So many failures of each sort (of records, of the ledger, of the dead letters) get a line of their own."""

KINDS_PER_BATCH = 10
"""So many kinds of failures are counted by name, in one line."""

_LONGEST_ERROR = 1_000

_COUNTS = ("records", "done", "skipped", "dead_lettered", "failed", "unfinished", "retried")

_MORE_TIME = "give the function a longer timeout, or its event source mapping smaller batches"


class Logs(Telemetry):
    """Writes to the logger ``kstream``. Never a payload: positions, keys, errors and counts. Thread-safe.

    Each line has its facts as ``extra`` fields too, named as in ``log_fields``: for ``JsonFormatter``, or any other.

    A batch writes at most a dozen lines, three of them with a traceback. There is no bound over batches: an invocation's
    lines are what is found by its request id, and a Lambda environment may end at any time, with whatever it held back.
    How often a failing batch comes back, and with it its lines, is the event source mapping's to say, which pauses.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger or logging.getLogger("kstream")
        self._lock = threading.Lock()
        self._told: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._batch: dict[str, object] = {}
        self._in_hand: BatchContext | None = None
        self._thread: int | None = None

    def batch_started(self, context: BatchContext) -> None:
        self._batch = names.of_batch(context)
        self._thread = threading.get_ident()
        self._in_hand = context

    def record_failed(self, record: Record, error: BaseException, *, attempt: int, parked: bool) -> None:
        kind = type(error).__name__
        if not self._tells("record", f"record(s) {'dead-lettered' if parked else 'failed'} with {kind}"):
            return
        self._tell_of(
            record,
            logging.WARNING,
            "record %s of %s %s after %d attempt(s): %s: %s",
            "went to the dead letters" if parked else "failed",
            attempt,
            kind,
            _text(error),
            outcome=names.DEAD_LETTERED if parked else names.FAILED,
            error=error,
            # A rejected record is one that its handler knows; where it was rejected says nothing more.
            exc_info=None if parked and isinstance(error, Reject) else error,
            attempt=attempt,
        )

    def ledger_failed(self, error: Exception) -> None:
        if self._tells("ledger", "failure(s) of the ledger"):
            # In a transaction effect and mark are one: what comes back there has had no effect.
            self._log.warning(
                "the ledger failed, so some records may come back, and without a transaction be processed again: %s",
                _text(error),
                extra=self._extra(names.LEDGER_FAILED, error),
            )

    def dead_letter_failed(self, record: Record, error: Exception) -> None:
        if self._tells("dead letter", "record(s) that could not be dead-lettered"):
            self._tell_of(
                record,
                logging.ERROR,
                "record %s of %s could not be dead-lettered and will be delivered again: %s",
                _text(error),
                outcome=names.DEAD_LETTER_FAILED,
                error=error,
            )

    def deadline_passed(self, context: BatchContext, outcome: Outcome) -> None:
        if context is not self._in_hand:
            return  # told late: the batch is over
        # In a thread of its own, whose context knows nothing of the batch. These may be its last words.
        place, stack = place_of(self._thread)
        extra = self._of_outcome(names.DEADLINE_PASSED, outcome) | ({names.STACK: stack} if stack else {})
        if outcome.checkpoint is None:
            what = "every record is settled, but the batch is not over"
        else:
            what = f"record {outcome.checkpoint}:{outcome.sub_checkpoint} of {self._shard} is not done"
        self._log.error(
            "the deadline has passed: %s (%d of %d done)%s. If it does not end at once, this process is ended, and the "
            "whole batch comes back: %s, and let what the handler waits for time out sooner%s",
            what,
            _settled(outcome),
            outcome.records,
            f", in {place}" if place else "",
            _MORE_TIME,
            f"; request {request}" if (request := self._batch.get(names.REQUEST_ID)) else "",
            extra=extra,
        )

    def batch_finished(self, outcome: Outcome) -> None:
        self._in_hand = None
        self._tell_counts()
        if outcome.complete:
            return
        self._log.warning(
            "batch unfinished at %s: %d done, %d failed, %d unfinished%s",
            outcome.checkpoint,
            _settled(outcome),
            outcome.failed,
            outcome.unfinished,
            f", out of time: {_MORE_TIME}" if outcome.out_of_time else "",
            extra=self._of_outcome(names.UNFINISHED, outcome),
        )

    def batch_interrupted(self, outcome: Outcome, error: BaseException) -> None:
        self._in_hand = None
        self._tell_counts()
        kind = type(error).__name__
        # Without its traceback: whoever the error is raised to shows it.
        self._log.error(
            "batch interrupted after %d of %d record(s), all of it comes back: %s: %s",
            _settled(outcome),
            outcome.records,
            kind,
            _text(error),
            extra=self._of_outcome(names.INTERRUPTED, outcome) | _of_error(error),
        )

    @property
    def _shard(self) -> object:
        return _place(self._batch)

    def _tell_of(
        self,
        record: Record,
        level: int,
        message: str,
        *args: object,
        outcome: str,
        error: BaseException,
        exc_info: BaseException | None = None,
        attempt: int | None = None,
    ) -> None:
        fields = names.of_record(record)
        # None where it is not told, or the context's would be shown, which is that of an attempt under way.
        extra = self._extra(outcome, error) | fields | {names.ATTEMPT: attempt}
        place = f"{fields.get(names.SEQUENCE_NUMBER, '?')}:{fields.get(names.SUB_SEQUENCE_NUMBER, '?')}"
        # It may be one of many that were handed over together: none of them is in hand then.
        with about(record):
            self._log.log(level, message, place, _place(fields), *args, exc_info=exc_info, extra=extra)

    def _extra(self, outcome: str, error: BaseException) -> dict[str, Any]:
        return {**self._batch, names.OUTCOME: outcome, **_of_error(error)}

    def _of_outcome(self, said: str, outcome: Outcome) -> dict[str, Any]:
        extra = {**self._batch, names.OUTCOME: said, names.COUNTS: {name: getattr(outcome, name) for name in _COUNTS}}
        if outcome.checkpoint is not None:
            extra[names.SEQUENCE_NUMBER] = outcome.checkpoint
            extra[names.SUB_SEQUENCE_NUMBER] = outcome.sub_checkpoint
        return extra

    def _tell_counts(self) -> None:
        with self._lock:
            untold, self._untold, self._told = self._untold, Counter(), Counter()
        if not untold:
            return
        kinds = [f"{count} {kind}" for kind, count in untold.most_common(KINDS_PER_BATCH)]
        if (others := len(untold) - len(kinds)) > 0:
            rest = untold.total() - sum(count for _, count in untold.most_common(KINDS_PER_BATCH))
            kinds.append(f"{rest} of {others} other kind(s)")
        self._log.warning("and in the same batch %s", ", ".join(kinds), extra=self._batch)

    def _tells(self, sort: str, kind: str) -> bool:
        """Whether a failure of this sort gets its own line; if not it is counted under its kind."""
        with self._lock:
            self._told[sort] += 1
            if self._told[sort] <= TOLD_PER_BATCH:
                return True
            self._untold[kind] += 1
            return False


def _place(fields: Mapping[str, object]) -> object:
    """The shard; of what comes from a table or a queue, that."""
    return fields.get(names.SHARD) or fields.get(names.STREAM) or "no shard"


def _settled(outcome: Outcome) -> int:
    return outcome.done + outcome.skipped + outcome.dead_lettered


def _of_error(error: BaseException) -> dict[str, object]:
    return {names.ERROR_TYPE: type(error).__name__, names.ERROR_MESSAGE: _text(error)}


def _text(error: BaseException) -> str:
    return cut(text_of(error), _LONGEST_ERROR)
