"""What ``simulate`` was given, checked before any history runs: else it would be the consumer that seems to be wrong."""

from __future__ import annotations

from kstream.core.asynchronous import in_event_loop
from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError
from kstream.core.given import check_number
from kstream.core.mapping import EventSourceMapping
from kstream.testing.simulator.faults import Faults


def check_given(
    consumer: object, *, mapping: object, faults: object, seed: object, timeout: object, answer: object
) -> None:
    """Raises ``ConfigurationError``. Records, ledger and dead letters are checked where they are used first."""
    if not isinstance(consumer, Consumer):
        name = getattr(consumer, "__name__", repr(consumer))
        raise ConfigurationError(f"simulate({name}): give a consumer, as in simulate(Consumer({name}))")
    if mapping is not None and not isinstance(mapping, EventSourceMapping):
        raise ConfigurationError(f"simulate(mapping={mapping!r}): give an EventSourceMapping, or leave it out")
    if mapping is not None and mapping.tumbling_window:
        raise ConfigurationError("simulate: a mapping with a tumbling_window is not simulated; leave it out")
    if faults is not None and not isinstance(faults, Faults):
        raise ConfigurationError(f"simulate(faults={faults!r}): give a Faults, or leave it out")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ConfigurationError(f"simulate(seed={seed!r}): a whole number")
    check_number("simulate(timeout", timeout, least=1, what="seconds")
    if answer not in (None, "partial", "raise"):
        raise ConfigurationError(f"simulate(answer={answer!r}): give 'partial' or 'raise', or leave it out")
    if in_event_loop():
        raise ConfigurationError(
            "simulate() is called in a running event loop: call it from a plain def, or by "
            "await asyncio.to_thread(simulate, consumer, ...)"
        )


def check_callable(name: str, given: object) -> None:
    takes = {"fact": "a function of a record", "runtime": "a function that makes an environment"}[name]
    if not callable(given):
        raise ConfigurationError(f"simulate({name}={given!r}): give {takes}, or leave it out")
