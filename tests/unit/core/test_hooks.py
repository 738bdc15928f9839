"""What a handler counts, times and notes reaches those who watch, and never itself comes back to the handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.handler import Handler
from kstream.core.telemetry import Telemetry
from kstream.testing.clock import VirtualClock
from tests.support.processing import batch, entry, processor_of

if TYPE_CHECKING:
    from kstream.core.hooks import Hooks
    from kstream.core.record import Record


class Hears(Telemetry):
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def count(self, name: str, value: float) -> None:
        self.told.append(("count", name, value))

    def observe(self, name: str, seconds: float) -> None:
        self.told.append(("observe", name, seconds))

    def annotate(self, key: str, value: str | float | bool) -> None:
        self.told.append(("annotate", key, value))


class Shop(Handler):
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.opened_with: Hooks | None = None

    def open(self) -> None:
        self.opened_with = self.telemetry

    def process(self, record: Record) -> None:
        self.telemetry.count("orders")
        self.telemetry.count("amount", 12.5)
        with self.telemetry.time("lookup"):
            self.clock.advance(2)
        self.telemetry.annotate("customer", "c-7")


def test_a_handler_is_heard_from_open_on() -> None:
    clock, hears = VirtualClock(), Hears()
    shop = Shop(clock)
    processor_of(Consumer(shop), clock=clock, telemetry=hears).process(batch(entry(1)))
    assert shop.opened_with is shop.telemetry
    assert hears.told == [
        ("count", "orders", 1),
        ("count", "amount", 12.5),
        ("observe", "lookup", 2.0),
        ("annotate", "customer", "c-7"),
    ]


def test_a_block_is_timed_also_if_it_raises() -> None:
    clock, hears = VirtualClock(), Hears()
    shop = Shop(clock)
    processor_of(Consumer(shop), clock=clock, telemetry=hears)

    def look_up() -> None:
        with shop.telemetry.time("lookup"):
            clock.advance(3)
            raise OSError("down")

    with pytest.raises(OSError, match="down"):
        look_up()
    assert hears.told == [("observe", "lookup", 3.0)]


def test_a_handler_that_no_consumer_has_taken_up_runs_too() -> None:
    """As in a unit test that calls process() itself."""
    Shop(VirtualClock()).process(batch(entry(1)).records[0])


def test_a_handler_s_own_attribute_of_that_name_is_left_alone() -> None:
    class Own(Handler):
        def __init__(self) -> None:
            self.telemetry = ["mine"]  # type: ignore[assignment]

        def process(self, record: Record) -> None:
            self.telemetry.append("more")  # type: ignore[attr-defined]

    own = Own()
    assert processor_of(Consumer(own)).process(batch(entry(1))).complete
    assert own.telemetry == ["mine", "more"]  # type: ignore[comparison-overlap]


def test_a_handler_that_takes_no_attributes_is_given_them_all_the_same() -> None:
    @dataclass(frozen=True)
    class Frozen(Handler):
        table: str = "orders"

        def process(self, record: Record) -> None:
            self.telemetry.count(self.table)

    hears = Hears()
    assert processor_of(Consumer(Frozen), telemetry=hears).process(batch(entry(1))).complete
    assert hears.told == [("count", "orders", 1)]


def test_two_instances_of_a_handler_are_heard_apart() -> None:
    ears = Hears(), Hears()
    for hears in ears:
        processor_of(Consumer(Shop(VirtualClock())), telemetry=hears).process(batch(entry(1)))
    assert [len(hears.told) for hears in ears] == [4, 4]
