"""Every error that kstream raises, as one tree.

    KstreamError
    ├── ConfigurationError      what was written in code or settings cannot work; also a ValueError
    ├── EventError              a runtime delivered something that is not a batch of records
    ├── BatchUnfinished         a batch is not done, told by raising (``answer="raise"``)
    ├── LedgerError             a ledger could not be read or written
    ├── TransactionError        what a handler put into its transaction cannot be committed
    │   └── ConditionFailed     a condition that it set does not hold
    ├── DeadLetterError         a dead letter could not be stored; the record stays undone
    ├── CheckpointError         a runner's checkpoints could not be read or written
    ├── ReadError               a stream could not be read just now; trying again may help
    └── EmulatorError           the embedded Kinesis could not be installed, started or stopped
    Reject                      raised *by a handler*: this record can never succeed
    └── UndecodableRecord       the payload is not what it was read as; also a ValueError

A message names the thing that is wrong and what to do about it.
"""


class KstreamError(Exception):
    """The root of what kstream itself raises."""


class ConfigurationError(KstreamError, ValueError):
    """What was written in code or settings cannot work. Raised while building, never while processing."""


class EventError(KstreamError):
    """What the runtime delivered is not a batch of records.

    A runtime adapter lets it pass, so that the delivery counts as failed and comes back: nothing is lost.
    """


class BatchUnfinished(KstreamError):
    """At least one record of the batch is not done.

    Raised by ``on_lambda(consumer, answer="raise")``, for an event source mapping that does not read answers.
    """


class LedgerError(KstreamError):
    """A ledger could not be read or written. Processing goes on, at least once; see ``Consumer``."""


class TransactionError(KstreamError):
    """What a handler did with its transaction cannot be committed, or is not its to do.

    Counts as raised by ``process``: retried, then failed or dead-lettered as ``Retry`` says.
    """


class ConditionFailed(TransactionError):
    """A condition that the handler set on one of its writes does not hold, so none of them was made."""


class DeadLetterError(KstreamError):
    """A dead letter could not be stored. Its record counts as failed and is delivered again."""


class CheckpointError(KstreamError):
    """A runner's checkpoints could not be read or written. The runner stops; nothing is lost, some comes again."""


class ReadError(KstreamError):
    """A stream could not be read just now: unreachable, overloaded, failing. A runner backs off and tries again."""


class EmulatorError(KstreamError):
    """The embedded Kinesis could not be installed, did not start, or could not load or save its records."""


class Reject(Exception):
    """Raise it in a handler for a *poison record*: one that can never succeed, however often it is tried.

    The record goes to the dead letters at once, with ``reason``, and is not retried. Without a dead-letter sink it
    counts as failed, and is delivered again.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UndecodableRecord(Reject, ValueError):
    """The payload is not what it was read as: not base64, not JSON, not UTF-8, or an aggregate that contradicts itself."""
