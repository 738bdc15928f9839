"""Testing consumers without AWS: events, stores in memory, a clock that stands still, and a simulation of what goes wrong.

Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.lazy_names import lazy_names

if TYPE_CHECKING:
    from kstream.stores.memory import MemoryDeadLetters as MemoryDeadLetters
    from kstream.testing.clock import VirtualClock as VirtualClock
    from kstream.testing.events import LambdaContext as LambdaContext
    from kstream.testing.events import enveloped as enveloped
    from kstream.testing.events import kinesis_event as kinesis_event
    from kstream.testing.events import stream_records as stream_records
    from kstream.testing.other_events import dynamodb_event as dynamodb_event
    from kstream.testing.other_events import sqs_event as sqs_event
    from kstream.testing.simulator import Faults as Faults
    from kstream.testing.simulator import Report as Report
    from kstream.testing.simulator import SimulatedTransactions as SimulatedTransactions
    from kstream.testing.simulator import Violation as Violation
    from kstream.testing.simulator import simulate as simulate

_HOMES = {
    "Faults": "kstream.testing.simulator",
    "LambdaContext": "kstream.testing.events",
    "MemoryDeadLetters": "kstream.stores.memory",
    "Report": "kstream.testing.simulator",
    "SimulatedTransactions": "kstream.testing.simulator",
    "Violation": "kstream.testing.simulator",
    "VirtualClock": "kstream.testing.clock",
    "dynamodb_event": "kstream.testing.other_events",
    "enveloped": "kstream.testing.events",
    "kinesis_event": "kstream.testing.events",
    "simulate": "kstream.testing.simulator",
    "sqs_event": "kstream.testing.other_events",
    "stream_records": "kstream.testing.events",
}

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
