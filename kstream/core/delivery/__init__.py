"""Lambda's event source mapping for a shard, as a pure state machine.

No I/O, no clock: whoever drives it passes ``now`` in epoch seconds. The local runner and the simulator drive the same
code. The loop of a driver::

    shard = ShardDelivery(mapping, shard_id, checkpoint=stored)
    shard.offer(fetched, now)                       # up to shard.room() records, in the shard's order
    while (step := shard.due(now)) is not None:
        if isinstance(step, Delivery):
            verdict = ...                           # invoke; parse_answer(...), or Failure if it raised
            shard.settle(step, verdict, now)
        else:                                       # a Discard: put it to the on-failure destination, then
            shard.confirm(step, now)                # (or shard.defer(step, now) if the destination refused it)
    store(shard.checkpoint)
    sleep_until(shard.next_due())
"""

from kstream.core.delivery.answer import Failure, Partial, Success, Verdict, parse_answer
from kstream.core.delivery.backoff import Backoff, exponential_backoff
from kstream.core.delivery.batch import Condition, Delivery, Discard, StreamRecord
from kstream.core.delivery.on_failure import on_failure_message
from kstream.core.delivery.shard import ShardDelivery

__all__ = [
    "ShardDelivery",
    "StreamRecord",
    "Delivery",
    "Discard",
    "Condition",
    "parse_answer",
    "Verdict",
    "Success",
    "Partial",
    "Failure",
    "Backoff",
    "exponential_backoff",
    "on_failure_message",
]
