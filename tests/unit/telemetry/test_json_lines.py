"""Log lines as JSON: each is one object, tells whose line it is, and never a payload that nobody asked for."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.handlers
import queue
import threading
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kstream import (
    BatchHandler,
    Consumer,
    Handler,
    Record,
    Reject,
    Retry,
    SQLiteLedger,
    TransactionalHandler,
    on_lambda,
)
from kstream.core.context import about, in_hand
from kstream.core.ports import Scope
from kstream.core.telemetry import BatchContext
from kstream.telemetry import ContextFilter, JsonFormatter
from kstream.telemetry import log_fields as names
from kstream.telemetry.json_lines import LINE_LIMIT
from tests.support.processing import (
    SHARD_ID,
    STREAM_ARN,
    WAYS,
    Letters,
    Script,
    aggregate_of,
    batch,
    entry,
    event,
    handler_for,
    workers_for,
)
from tests.unit.telemetry.test_plain_values import ANY_TEXT, ANYTHING, Broken, strictly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.support.processing import Way

SECRET = "the-secret-payload"


class Lines:
    """A logger of its own whose lines are read back."""

    def __init__(
        self,
        formatter: logging.Formatter,
        *filters: logging.Filter,
        wrap: Callable[[logging.Handler], Any] | None = None,
    ) -> None:
        self.stream = io.StringIO()
        handler: logging.Handler = logging.StreamHandler(self.stream)
        handler.setFormatter(formatter)
        self.handler = wrap(handler) if wrap else handler
        for one in filters:
            self.handler.addFilter(one)

    def read(self) -> list[dict[str, Any]]:
        return [strictly(line) for line in self.stream.getvalue().splitlines()]


@contextmanager
def lines(*filters: logging.Filter, level: int = logging.INFO, **formatting: Any) -> Iterator[Lines]:
    """What every logger says, kstream's and others'."""
    made = Lines(JsonFormatter(**formatting), *filters)
    root = logging.getLogger()
    before = root.level
    root.addHandler(made.handler)
    root.setLevel(level)
    try:
        yield made
    finally:
        root.setLevel(before)
        root.removeHandler(made.handler)


def one_line(formatter: logging.Formatter | None = None, /, **attributes: Any) -> dict[str, Any]:
    written = (formatter or JsonFormatter()).format(logging.makeLogRecord(attributes))
    assert "\n" not in written
    read: dict[str, Any] = strictly(written)
    return read


RECORD = Record(
    SECRET.encode(),
    partition_key="key",
    sequence_number="49590338271490256608559692538361571095921575989136588898",
    sub_sequence_number=3,
    shard_id=SHARD_ID,
    stream_arn=STREAM_ARN,
    arrived_at=datetime.fromtimestamp(1_700_000_000, UTC),
)


@contextmanager
def holding(record: Record | None = RECORD) -> Iterator[None]:
    context = BatchContext(Scope("totals", STREAM_ARN, SHARD_ID), batch(entry(1)), "request-1", 0.0)
    with in_hand(context), nullcontext() if record is None else about(record):
        yield


# --- What a line says -------------------------------------------------------------------------------------------------


def test_a_line_outside_any_batch_has_time_level_logger_and_message() -> None:
    assert one_line(
        JsonFormatter(service="orders"),
        name="urllib3",
        levelname="WARNING",
        levelno=30,
        msg="retry %d",
        args=(3,),
        created=1_700_000_000.25,
    ) == {
        "timestamp": "2023-11-14T22:13:20.250Z",
        "level": "WARNING",
        "logger": "urllib3",
        "message": "retry 3",
        "service": "orders",
    }


def test_a_line_of_a_record_says_which_it_is() -> None:
    with holding():
        line = one_line(created=1_700_000_001.5)
    assert {name: line[name] for name in names.IN_HAND} == {
        "consumer": "totals",
        "stream": "orders",
        "shard": SHARD_ID,
        "request_id": "request-1",
        "sequence_number": RECORD.sequence_number,
        "sub_sequence_number": 3,
        "partition_key": "key",
        "attempt": 1,
        "record_age": 1500,
    }


def test_a_line_of_a_batch_names_no_record() -> None:
    with holding(None):
        assert set(one_line()) & set(names.IN_HAND) == {"consumer", "stream", "shard", "request_id"}


def test_an_exception_has_type_text_and_traceback_and_a_stack_is_kept() -> None:
    with lines() as written:
        try:
            raise KeyError("amount")
        except KeyError:
            logging.getLogger("app").exception("failed", stack_info=True)
    [line] = written.read()
    assert (line["error_type"], line["error_message"]) == ("KeyError", "'amount'")
    assert line["traceback"].startswith("Traceback (most recent call last):")
    assert line["traceback"].endswith("KeyError: 'amount'")
    assert "test_json_lines.py" in line["stack"]


def test_extra_fields_are_kept_and_those_named_like_a_line_s_own_get_an_underscore() -> None:
    with lines() as written, holding():
        logging.getLogger("app").warning(
            "m", extra={"order": {"id": 7}, "stream": "mine", "level": "high", "attempt": None, "\ud800": 1}
        )
    [line] = written.read()
    assert (line["order"], line["stream"], line["level"], line["level_"]) == ({"id": 7}, "mine", "WARNING", "high")
    assert "attempt" not in line, "None says that there is none"
    assert line["?"] == 1


def test_what_is_logged_of_a_payload_makes_no_metrics() -> None:
    """Or a producer could raise, or feign, what an operator's alarms look at."""
    directive = {"Namespace": "kstream", "Dimensions": [[]], "Metrics": [{"Name": "RecordsFailed", "Unit": "Count"}]}
    payload = {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, "RecordsFailed": 1}
    assert "_aws" not in one_line(msg=payload)
    line = one_line(msg="paid", **payload)
    assert (line["_aws_"], line["RecordsFailed"]) == (payload["_aws"], 1)
    assert "_aws" not in line


def test_a_dictionary_as_the_message_stays_one() -> None:
    assert one_line(msg={"order": 7})["message"] == {"order": 7}
    assert one_line(msg="%(order)s", args={"order": 7})["message"] == "7"


def test_the_request_id_of_lambda_s_runtime_is_used_outside_a_batch() -> None:
    line = one_line(aws_request_id="request-2", tenant_id=None)
    assert line["request_id"] == "request-2"
    assert not {"aws_request_id", "tenant_id"} & set(line)
    assert "request_id" not in one_line(aws_request_id="")
    assert one_line(tenant_id="t")["tenant_id"] == "t"
    with holding():
        assert one_line(aws_request_id="request-2")["request_id"] == "request-1"


# --- It never raises, and never goes on for ever -----------------------------------------------------------------------


@given(ANYTHING, ANYTHING, st.dictionaries(ANY_TEXT, ANYTHING), ANY_TEXT)
def test_whatever_is_logged_is_one_line_of_json(
    message: object, argument: object, extra: dict[str, Any], name: str
) -> None:
    with holding():
        one_line(name=name, msg=message, args=(argument,), **{f"x{key}": value for key, value in extra.items()})


@given(st.text(st.characters()), ANY_TEXT)
def test_an_error_s_text_may_be_anything(text: str, key: str) -> None:
    error = type("Odd", (Exception,), {})(text)
    with holding(Record(b"", partition_key=key, sequence_number=text)):
        assert one_line(exc_info=(type(error), error, None))["error_type"] == "Odd"


def test_what_has_no_text_is_named() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise LookupError

    line = one_line(msg=Broken(), extra_one=Broken(), exc_info=(Mute, Mute(), None))
    assert line["message"] == "<Broken without a text: LookupError>"
    assert line["logging_error"] == "LookupError: no text"
    assert line["error_message"] == "<Mute without a text: LookupError>"


def test_arguments_that_do_not_fit_leave_the_message_and_say_so() -> None:
    line = one_line(msg="%d orders", args=("seven",))
    assert line["message"] == "%d orders"
    assert line["logging_error"].startswith("TypeError: ")


def test_even_a_record_that_is_none_makes_a_line() -> None:
    assert one_line(created="yesterday", msg="m")["logging_error"] == "TypeError"


@pytest.mark.parametrize(
    "attributes",
    [
        {"msg": "\u2028" * 1_000_000},
        {"msg": {str(number): "x" * 1_000 for number in range(10_000)}},
        {"msg": "m", **{f"field{number}": "x" * 10_000 for number in range(5_000)}},
        {"msg": "m", "many": [["\U0001f600" * 1_000] * 100] * 100},
    ],
    ids=["message", "dictionary", "fields", "nested"],
)
def test_a_line_is_never_longer_than_its_limit_and_says_that_it_is_cut(attributes: dict[str, Any]) -> None:
    with holding():
        written = JsonFormatter().format(logging.makeLogRecord(attributes))
    assert len(written) <= LINE_LIMIT
    line = strictly(written)
    assert line["cut"] is True
    assert line["sequence_number"] == RECORD.sequence_number
    assert "message" in line


def test_a_defective_delivery_says_what_it_can() -> None:
    from kstream.core.record import EventRecord

    broken = entry(1)
    del broken["kinesis"]["partitionKey"], broken["kinesis"]["approximateArrivalTimestamp"], broken["eventSourceARN"]
    with holding(EventRecord(broken)):
        line = one_line()
    assert (line["sequence_number"], line["shard"]) == ("1", SHARD_ID)
    assert "partition_key" not in line
    with holding(EventRecord({})):
        assert one_line()["request_id"] == "request-1"


# --- Threads, tasks, queues --------------------------------------------------------------------------------------------


class Says(Handler):
    """Each record has its own number as its payload, and says it through a library that knows nothing of kstream."""

    def __init__(self, together: int) -> None:
        self.barrier = threading.Barrier(together)

    def process(self, record: Record) -> None:
        self.barrier.wait(60)  # so many are in hand at once
        logging.getLogger("library.deep").info("%s", record.text())


class SaysLater(Handler):
    def __init__(self, together: int) -> None:
        self.together, self.waiting, self.all_there = together, 0, asyncio.Event()

    async def process(self, record: Record) -> None:
        self.waiting += 1
        if self.waiting % self.together == 0:
            self.all_there.set()
        await self.all_there.wait()
        await asyncio.sleep(0)
        logging.getLogger("library.deep").info("%s", record.text())
        await asyncio.create_task(self.says(record))

    async def says(self, record: Record) -> None:
        logging.getLogger("library.deep").info("%s", record.text())


@pytest.mark.parametrize(
    ("handler", "filters"), [(Says, ()), (Says, (1,)), (SaysLater, ()), (SaysLater, (1,))], ids=str
)
def test_at_once_each_line_carries_its_own_record(handler: Callable[[int], Handler], filters: Sequence[int]) -> None:
    together = 8
    handle = on_lambda(Consumer(lambda: handler(together), name="says", ordering="none", max_workers=together))
    numbers = range(together * 5)
    with lines(*[ContextFilter() for _ in filters]) as written:
        for invocation in ("one", "two"):
            context = type("Context", (), {"aws_request_id": invocation})
            handle(event(*(entry(n, str(n).encode(), key=f"key {n}") for n in numbers)), context)
    handle.close()
    read = written.read()
    assert len(read) == 2 * len(numbers) * (2 if handler is SaysLater else 1)
    assert {line["message"] for line in read} == set(map(str, numbers))
    for line in read:
        assert line["sequence_number"] == line["message"]
        assert line["partition_key"] == f"key {line['message']}"
    half = len(read) // 2
    assert [line["request_id"] for line in read] == ["one"] * half + ["two"] * half


@pytest.mark.parametrize("way", WAYS)
def test_retries_say_which_attempt_it_is_and_the_batch_s_own_lines_name_no_record(way: Way) -> None:
    script = Script({(2, 0): 2, (3, 0): 9}, before=lambda record: logging.getLogger("app").info("try"))
    consumer = Consumer(
        handler_for(way, script),
        ordering="none",
        max_workers=workers_for(way),
        retry=Retry(attempts=3, base=0.0001),
        dead_letters=Letters(),
    )
    handle = on_lambda(consumer)
    with lines() as written:
        handle(event(*(entry(number) for number in range(1, 5))))
        logging.getLogger("app").info("after")
    handle.close()
    tries = [(line["sequence_number"], line["attempt"]) for line in written.read() if line["message"] == "try"]
    assert sorted(tries) == [("1", 1), ("2", 1), ("2", 2), ("2", 3), ("3", 1), ("3", 2), ("3", 3), ("4", 1)]
    [failed] = [line for line in written.read() if line.get("outcome") == "failed"]
    assert (failed["sequence_number"], failed["attempt"], failed["error_type"]) == ("3", 3, "Transient")
    [unfinished] = [line for line in written.read() if line.get("outcome") == "unfinished"]
    assert unfinished["sequence_number"] == "3", "where the batch has to begin again"
    assert "partition_key" not in unfinished
    assert not set(written.read()[-1]) & set(names.IN_HAND)


def test_a_transaction_s_lines_are_its_record_s(tmp_path: Path) -> None:
    class Totals(TransactionalHandler[Any]):
        def process(self, record: Record, transaction: Any) -> None:
            logging.getLogger("app").info("%s", record.sequence_number)

    ledger = SQLiteLedger(tmp_path / "ledger.db")
    with lines() as written:
        on_lambda(Consumer(Totals, ledger=ledger))(event(entry(1), entry(2)))
    ledger.close()
    assert [line["sequence_number"] for line in written.read()] == ["1", "2"]


def test_users_of_an_aggregate_are_told_apart() -> None:
    script = Script(before=lambda record: logging.getLogger("app").info("%s", record.text()))
    with lines() as written:
        on_lambda(Consumer(handler_for("inline", script)))(event(entry(5, aggregate_of(("x", b"0"), ("y", b"1")))))
    assert [(line["sub_sequence_number"], line["partition_key"]) for line in written.read()] == [(0, "x"), (1, "y")]


@pytest.mark.parametrize("formatted", ["before the queue", "behind it"])
def test_behind_a_queue_the_record_is_still_known(formatted: str) -> None:
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stream = io.StringIO()
    target = logging.StreamHandler(stream)
    sender = logging.handlers.QueueHandler(waiting)
    if formatted == "behind it":
        target.setFormatter(JsonFormatter())
        sender.addFilter(ContextFilter())
    else:
        sender.setFormatter(JsonFormatter())
    listener = logging.handlers.QueueListener(waiting, target)
    logger = logging.Logger("app")  # noqa: LOG001 - seen by nobody else
    logger.addHandler(sender)
    with holding():
        listener.start()
        try:
            raise OSError("down")
        except OSError:
            logger.exception("failed", extra={"order": 7})
        listener.stop()
    line = strictly(stream.getvalue())
    assert (line["sequence_number"], line["shard"], line["order"]) == (RECORD.sequence_number, SHARD_ID, 7)
    assert (line["error_type"], line["error_message"]) == ("OSError", "down")


def test_the_filter_serves_other_formatters_and_outside_a_batch_too() -> None:
    made = Lines(logging.Formatter("%(shard)s %(sequence_number)s %(message)s"), ContextFilter())
    logger = logging.Logger("app")  # noqa: LOG001 - seen by nobody else
    logger.addHandler(made.handler)
    logger.info("before")
    with holding():
        logger.info("in it")
    assert made.stream.getvalue().splitlines() == ["None None before", f"{SHARD_ID} {RECORD.sequence_number} in it"]


@given(ANY_TEXT)
def test_the_filter_raises_nothing(text: str) -> None:
    with holding(Record(b"", partition_key=text, sequence_number=text, arrived_at=datetime.max.replace(tzinfo=UTC))):
        record = logging.makeLogRecord({"exc_info": (Exception, Exception(text), None)})
        assert ContextFilter().filter(record)
    one_line(**vars(record))


# --- Payloads ----------------------------------------------------------------------------------------------------------


class Clumsy(Handler):
    """Says everything that it may about its record, and fails."""

    def process(self, record: Record) -> None:
        logging.getLogger("app").info("got %s", record, extra={"record": record, "headers": record.headers})
        raise (Reject if record.partition_key == "poison" else OSError)(f"cannot {record}")


class ClumsyBatch(BatchHandler):
    def process(self, records: Sequence[Record]) -> Sequence[Record]:
        logging.getLogger("app").info("got %s", records, extra={"records": records})
        return records


@pytest.mark.parametrize("handler", [Clumsy, ClumsyBatch])
@pytest.mark.parametrize("sink", [None, Letters(), Letters(lambda letter: True)], ids=["none", "takes", "refuses"])
def test_no_payload_is_written_that_nobody_asked_for(handler: Any, sink: Letters | None) -> None:
    consumer = Consumer(handler, ordering="none", retry=Retry(attempts=2, base=0.0001), dead_letters=sink)
    entries = [entry(n, SECRET.encode(), key="poison" if n % 2 else "key") for n in range(20)]
    with lines(ContextFilter(), level=logging.DEBUG) as written:
        on_lambda(consumer)(event(*entries, entry(20, aggregate_of(("k", SECRET.encode())))))
    assert len(written.read()) > 3
    text = written.stream.getvalue()
    assert SECRET not in text
    assert entries[0]["kinesis"]["data"] not in text, "nor as it arrived"
    assert "payload" not in {name for line in written.read() for name in line}


def test_a_payload_that_was_asked_for_goes_through_the_hook_and_is_bounded() -> None:
    with holding():
        assert one_line(JsonFormatter(payloads=True))["payload"] == SECRET
        assert one_line(JsonFormatter(payloads=True, redact=lambda record: {"kept": 1}))["payload"] == {"kept": 1}
        assert one_line(JsonFormatter(payloads=True, redact=lambda record: b"\xff"))["payload"] == "\\xff"
        assert "payload" not in one_line(JsonFormatter(payloads=True, redact=lambda record: None))
        long = one_line(JsonFormatter(payloads=True, redact=lambda record: ["x" * 90] * 90, payload_length=100))[
            "payload"
        ]
        assert isinstance(long, str)
        assert len(long) < 200
    assert "payload" not in one_line(JsonFormatter(payloads=True)), "nothing is in hand"
    with holding(Record(b"x" * 1_000_000)):
        assert len(one_line(JsonFormatter(payloads=True))["payload"]) < 5_000


@pytest.mark.parametrize("formatted", ["before the queue", "behind it"])
def test_behind_a_queue_a_payload_is_left_out_and_the_line_says_so(formatted: str) -> None:
    payloads, filter_ = JsonFormatter(payloads=True), ContextFilter()
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    sender = logging.handlers.QueueHandler(waiting)
    sender.setFormatter(payloads if formatted == "before the queue" else None)
    sender.addFilter(filter_)
    with holding():
        sender.handle(logging.makeLogRecord({"msg": "m"}))
    sender.handle(logging.makeLogRecord({"msg": "outside"}))
    if formatted == "before the queue":
        assert strictly(waiting.get().msg)["payload"] == SECRET
        return
    in_hand, outside = (strictly(payloads.format(waiting.get())) for _ in range(2))
    assert (in_hand["payload_left_out"], in_hand["sequence_number"]) == ("not in hand", RECORD.sequence_number)
    assert not {"payload", "payload_left_out"} & set(outside)


def test_a_hook_that_raises_leaves_the_payload_out() -> None:
    def redact(record: Record) -> object:
        raise KeyError(record.text())

    with holding():
        line = JsonFormatter(payloads=True, redact=redact).format(logging.makeLogRecord({"msg": "m"}))
    assert SECRET not in line
    assert json.loads(line)["payload_left_out"] == "KeyError"


def test_a_payload_that_cannot_be_read_is_left_out() -> None:
    with lines(payloads=True) as written:
        on_lambda(Consumer(Clumsy, retry=Retry(attempts=1)))(event(entry(1, raw="not base64!")))
    assert {line.get("payload_left_out", "-") for line in written.read()} >= {"UndecodableRecord"}


def test_a_failed_record_of_a_batch_handler_shows_its_own_payload() -> None:
    with lines(payloads=True) as written:
        on_lambda(Consumer(ClumsyBatch, ordering="none", retry=Retry(attempts=1)))(
            event(entry(1, b"one"), entry(2, b"two"))
        )
    shown = {line["sequence_number"]: line["payload"] for line in written.read() if line.get("outcome") == "failed"}
    assert shown == {"1": "one", "2": "two"}


def test_an_age_is_left_out_where_no_arrival_is_known() -> None:
    with holding(Record(b"")):
        assert "record_age" not in one_line()
    with holding(Record(b"", arrived_at=datetime.now(UTC) + timedelta(hours=1))):
        assert one_line()["record_age"] < 0, "clocks differ: shown as it is"
