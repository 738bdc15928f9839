"""What processing a batch came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer to the one question of every runtime, and the counts behind it.

    Counts are of user records and add up: ``done + skipped + dead_lettered + failed + unfinished == records``.

    ``checkpoint``       the sequence number of the first Kinesis record that is not fully done, spelled as it was
                         delivered; None if everything is done.
    ``sub_checkpoint``   the sub-sequence number of the first user record in it that is not done.
    ``undone``           of a queue's batch, which has no checkpoint: each message that must be delivered again, by its id,
                         in the order of the delivery. ``checkpoint`` is the first of them. Empty for streams.
    ``kinesis_records``  Kinesis records in the batch; ``records`` user records, after de-aggregation.
    ``done``             handled now; ``skipped``: the ledger knew them as done.
    ``dead_lettered``    parked with their payload, and so settled.
    ``failed``           tried and not done; ``unfinished``: not tried to the end, for order's or the deadline's sake.
    ``retried``          attempts beyond the first.
    ``rejected``         records that can never succeed (``Reject``), whether dead-lettered or, without a sink, failed.
    ``out_of_time``      the deadline stopped the batch.

    ``ledger_failures``       reads and writes that the ledger refused; what they would have prevented may run again.
    ``dead_letter_failures``  letters that the sink refused; their records count as failed.
    """

    checkpoint: str | None = None
    sub_checkpoint: int = 0
    undone: tuple[str, ...] = ()
    kinesis_records: int = 0
    records: int = 0
    done: int = 0
    skipped: int = 0
    dead_lettered: int = 0
    failed: int = 0
    unfinished: int = 0
    retried: int = 0
    rejected: int = 0
    out_of_time: bool = False
    ledger_failures: int = 0
    dead_letter_failures: int = 0

    @property
    def complete(self) -> bool:
        return self.checkpoint is None
