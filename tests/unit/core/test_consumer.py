"""A consumer: what it takes, what it is called, and what it refuses with a remedy."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError
from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.retry import Retry
from kstream.core.telemetry import Telemetry
from kstream.runtimes.aws_lambda import on_lambda
from kstream.stores.memory import MemoryDeadLetters, MemoryLedger
from tests.support.processing import processor_of

if TYPE_CHECKING:
    from pathlib import Path

    from kstream.core.record import Record


class Totals(Handler):
    def __init__(self, start: int = 0) -> None:
        self.start = start

    def process(self, record: Record) -> None: ...


class Bulk(BatchHandler):
    def process(self, records: Any) -> None: ...


class Unfinished(Handler):
    pass


class AwaitedSink:
    async def put(self, letter: object) -> None: ...


class AwaitedLedger(MemoryLedger):
    async def save(self, scope: object, done: object) -> None: ...  # type: ignore[override]


class AwaitedTelemetry(Telemetry):
    async def batch_finished(self, outcome: object) -> None: ...  # type: ignore[override]


def watching(**asks: Any) -> Telemetry:
    telemetry = Telemetry()
    vars(telemetry).update(asks)
    return telemetry


class Needy(Handler):
    def __init__(self, connection: str) -> None: ...

    def process(self, record: Record) -> None: ...


def make_totals() -> Handler:
    return Totals(7)


INSTANCE = Totals(5)


@pytest.mark.parametrize(
    ("source", "start", "name"),
    [
        (Totals, 0, "Totals"),
        (INSTANCE, 5, "Totals"),
        (make_totals, 7, "make_totals"),
        (partial(Totals, 9), 9, "Totals"),
    ],
)
def test_a_handler_is_a_class_an_instance_or_something_that_makes_one(source: Any, start: int, name: str) -> None:
    consumer = Consumer(source)
    built = consumer.build_handler()
    assert isinstance(built, Totals)
    assert (built.start, consumer.name) == (start, name)


def test_an_instance_is_used_as_it_is_and_a_class_makes_a_new_one_each_time() -> None:
    assert Consumer(INSTANCE).build_handler() is INSTANCE
    assert Consumer(Totals).build_handler() is not Consumer(Totals).build_handler()
    assert isinstance(Consumer(Bulk).build_handler(), Bulk)


def test_a_name_given_stands() -> None:
    assert Consumer(Totals, name="orders").name == "orders"
    assert Consumer(lambda: Totals(), name="orders").name == "orders"


@pytest.mark.parametrize("policies", [{"mode": "full"}, {"mode": "sparse"}, {"save_every": 5}])
def test_how_a_ledger_is_written_can_be_said_before_there_is_one_but_not_without(policies: dict[str, Any]) -> None:
    """Where it runs, KSTREAM_LEDGER may name one."""
    consumer = Consumer(Totals, **policies)
    with pytest.raises(
        ConfigurationError, match=r"Totals: mode= and save_every= .* give ledger=, or set KSTREAM_LEDGER"
    ):
        processor_of(consumer)
    processor_of(replace(consumer, ledger=MemoryLedger())).close()


class Books(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> None: ...


class BooksLater(TransactionalHandler[Any]):
    async def process(self, record: Record, transaction: Any) -> None: ...  # type: ignore[override]


class Yields(Handler):
    def process(self, record: Record) -> Any:
        yield


class Keyed(Totals):
    def idempotency_key(self, record: Record) -> str:
        return "x"


class KeyedLater(Totals):
    async def idempotency_key(self, record: Record) -> str:  # type: ignore[override]
        return "x"


PARKING = Retry(exhausted="dead_letter")

CONTRADICTIONS: list[tuple[Any, dict[str, Any], str]] = [
    (Books, {"mode": "full"}, "mode='full' with a TransactionalHandler"),
    (Books, {"save_every": 5}, "save_every=5 with a TransactionalHandler"),
    (Books, {"ledger": MemoryLedger()}, "needs a ledger with transactions"),
    (BooksLater, {}, "process is def, not async def"),
    (Totals, {"mode": "transactional"}, "needs a TransactionalHandler"),
    (Totals, {"mode": "full", "save_every": 5}, "save_every=5 with mode='full'.*leave one out"),
    (Bulk, {"max_workers": 2}, "a BatchHandler takes the whole batch in one call"),
    (Yields, {}, "process has a yield in it"),
    (KeyedLater, {}, "idempotency_key is async def"),
]


@pytest.mark.parametrize(("handler", "policies", "message"), CONTRADICTIONS)
@pytest.mark.parametrize("instance", [False, True])
def test_what_contradicts_itself_is_told_before_anything_is_built(
    handler: Any, policies: dict[str, Any], message: str, instance: bool
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Consumer(handler() if instance else handler, **policies)


@pytest.mark.parametrize(("handler", "policies", "message"), CONTRADICTIONS)
def test_of_what_a_function_makes_it_is_told_when_it_is_made(
    handler: Any, policies: dict[str, Any], message: str
) -> None:
    def make() -> Any:
        return handler()

    with pytest.raises(ConfigurationError, match=message):
        processor_of(Consumer(make, **policies))


@pytest.mark.parametrize(
    ("handler", "policies", "message"),
    [
        (Books, {}, "needs a ledger with transactions"),
        (Keyed, {}, "idempotency_key needs a ledger"),
        (Totals, {"mode": "full"}, "there is none: give ledger="),
        (Totals, {"retry": PARKING}, "exhausted='dead_letter'.*no sink: give dead_letters=, or set KSTREAM_DEAD_LETT"),
        (Bulk, {"retry": PARKING}, "there is no sink"),
    ],
)
def test_a_store_that_is_missing_where_it_runs_is_told_when_it_is_built_there(
    handler: Any, policies: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Lambda at once. Elsewhere the module must import without KSTREAM_LEDGER, for tests of the handler alone."""
    consumer = Consumer(handler, **policies)
    elsewhere = on_lambda(consumer)
    with pytest.raises(ConfigurationError, match=message):
        elsewhere.build()
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "orders")
    with pytest.raises(ConfigurationError, match=message):
        on_lambda(consumer)


def test_dead_letters_that_the_settings_name_are_a_sink(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KSTREAM_DEAD_LETTERS", f"dir:{tmp_path}")
    handler = on_lambda(Consumer(Totals, retry=PARKING))
    handler.build()
    handler.close()


def test_two_lambdas_would_share_a_name_and_so_a_ledger() -> None:
    with pytest.raises(ConfigurationError, match="give name="):
        Consumer(lambda: Totals())


def test_a_consumer_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Consumer(Totals).name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (dict, "dict is not a handler: make it a subclass of kstream.Handler"),
        (Unfinished, r"Unfinished has no process\(\): define it, as def or async def"),
        (3, r"Consumer\(3\): give a subclass"),
        (None, r"Consumer\(None\): give a subclass"),
    ],
)
def test_what_is_no_handler_is_refused(handler: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Consumer(handler)


def make_nothing() -> Any:
    return None


def takes_a_record(record: Record) -> None: ...


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (Needy, "Needy cannot be built: .*connection.*Give Consumer an instance, or a function that makes one"),
        (takes_a_record, "takes_a_record cannot be built"),
        (make_nothing, "made None, which is not a handler"),
    ],
)
def test_what_makes_no_handler_is_told_when_it_is_built(handler: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Consumer(handler).build_handler()


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"ordering": "key"}, "ordering='key': it is 'shard', 'partition_key' or 'none'"),
        ({"mode": "dense", "ledger": MemoryLedger()}, "mode='dense'"),
        ({"save_every": 0, "ledger": MemoryLedger()}, r"Consumer\(save_every=0\): records, a whole number, at least 1"),
        ({"max_workers": 0}, r"Consumer\(max_workers=0\): a whole number, at least 1"),
        ({"deadline_margin": -1}, r"Consumer\(deadline_margin=-1\): seconds, at least 0"),
        ({"max_workers": 2.5}, "a whole number"),
        ({"max_workers": True}, "a whole number"),
        ({"deadline_margin": float("nan")}, "deadline_margin=nan"),
        ({"save_every": "3", "ledger": MemoryLedger()}, "save_every='3'"),
        ({"name": 5}, "name=5: text that can be printed"),
        ({"name": "a\ud800"}, "text that can be printed"),
        ({"dead_letters": AwaitedSink()}, "its put is async def, which nobody would await"),
        ({"ledger": AwaitedLedger()}, "its save is async def, which nobody would await"),
        ({"ledger": "sqlite:x"}, "ledger='sqlite:x' is not a ledger"),
        ({"ledger": MemoryLedger}, "MemoryLedger.* is not a ledger"),
        ({"telemetry": Telemetry}, "is no telemetry: give an instance of a subclass of kstream.Telemetry, or several"),
        ({"telemetry": [Telemetry(), "emf"]}, "is no telemetry"),
        ({"telemetry": "emf"}, "telemetry='emf' is no telemetry"),
        ({"telemetry": watching(slow_after="1")}, "Telemetry.slow_after='1': seconds, at least 0, or math.inf"),
        ({"telemetry": [Telemetry(), watching(slow_after=None)]}, "slow_after=None"),
        ({"telemetry": watching(slow_after=float("nan"))}, "slow_after=nan"),
        ({"telemetry": watching(sample_rate="1")}, "Telemetry.sample_rate='1': a share of records, 0 to 1, or None"),
        ({"telemetry": watching(sample_rate=float("nan"))}, "sample_rate=nan"),
        ({"telemetry": watching(sample_rate=1.5)}, r"sample_rate=1\.5"),
        ({"telemetry": AwaitedTelemetry()}, "its batch_finished is async def, which nobody would await"),
        ({"dead_letters": "dir:x"}, "dead_letters='dir:x' is not a sink"),
        ({"dead_letters": MemoryDeadLetters}, "MemoryDeadLetters.* is not a sink"),
        ({"retry": 3}, r"retry=3: give a policy such as Retry\(attempts=5\)"),
        ({"breaker": True}, "breaker=True: give a policy"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_policies_that_cannot_work_are_refused_with_the_remedy(policies: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Consumer(Totals, **policies)


def test_who_watches_is_one_or_several_or_nobody_and_by_default_whom_the_runtime_names() -> None:
    one, two = Telemetry(), Telemetry()
    assert Consumer(Totals).watching([one]) == [one]
    assert Consumer(Totals, telemetry=two).watching([one]) == (two,)
    assert Consumer(Totals, telemetry=[one, two]).watching([]) == (one, two)
    assert Consumer(Totals, telemetry=()).watching([one]) == ()


def test_an_error_in_the_handler_s_own_code_is_raised_as_it_is() -> None:
    """It is not the call's fault, and the remedy for that would mislead."""

    class Mistaken(Handler):
        def __init__(self) -> None:
            int(None)  # type: ignore[call-overload]

        def process(self, record: Record) -> None: ...

    with pytest.raises(TypeError, match="int\\(\\) argument"):
        Consumer(Mistaken).build_handler()


class TakesMore(Handler):
    def process(self, record: Record, transaction: object) -> None: ...  # type: ignore[override]


class TakesLess(TransactionalHandler[object]):
    def process(self, record: Record) -> None: ...  # type: ignore[override]


class OpensLater(Handler):
    async def open(self) -> None: ...  # type: ignore[override]

    def process(self, record: Record) -> None: ...


class KeyedBatch(BatchHandler):
    def idempotency_key(self, record: Record) -> str: ...

    def process(self, records: object) -> None: ...


@pytest.mark.parametrize("instance", [False, True])
@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (TakesMore, r"is called as process\(record\): missing a required argument: 'transaction'"),
        (TakesLess, r"is called as process\(record, transaction\): too many positional arguments"),
        (OpensLater, "open and close are called, and not awaited"),
        (KeyedBatch, "a BatchHandler is not asked for an idempotency_key"),
    ],
)
def test_a_handler_that_cannot_be_called_as_it_will_be_is_refused(handler: Any, message: str, instance: bool) -> None:
    """Or every record would fail in it, and with exhausted="dead_letter" be set aside."""
    with pytest.raises(ConfigurationError, match=message):
        Consumer(handler() if instance else handler)
