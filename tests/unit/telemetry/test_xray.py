"""X-Ray alone: its documents as a daemon receives them, its recorder, and what becomes of it where something is broken."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from aws_xray_sdk import global_sdk_config
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.context import Context
from aws_xray_sdk.core.exceptions.exceptions import SegmentNotFoundException

from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError, LedgerError, Reject
from kstream.core.handler import Handler
from kstream.core.retry import Retry
from kstream.stores.memory import MemoryLedger
from kstream.telemetry.current_trace import trace_headers as current_trace_headers
from kstream.telemetry.trace_context import TraceContext
from kstream.telemetry.xray import XRay, trace_headers
from kstream.telemetry.xray_context import HandedOver
from tests.support.processing import Letters, Script, Transient, batch, entry, processor_of, run_script
from tests.support.tracers import INVOCATION, xray_tracer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.core.outcome import Outcome
    from kstream.core.processor import Processor
    from kstream.core.record import Record
    from tests.support.tracers import XRayTracer


@pytest.fixture
def outside() -> Iterator[XRayTracer]:
    with xray_tracer() as tracer:
        yield tracer


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> Iterator[XRayTracer]:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "order-totals")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", INVOCATION)
    with xray_tracer(in_lambda=True) as tracer:
        yield tracer


class Nothing(Handler):
    def process(self, record: Record) -> None:
        pass


def run(handler: type[Handler], telemetry: XRay, count: int = 3, **policies: Any) -> Outcome:
    processor = processor_of(Consumer(handler, **policies), telemetry=telemetry)
    try:
        return processor.process(batch(*(entry(100 + index) for index in range(count))), request_id="r-1")
    finally:
        processor.close()


def document_of(tracer: XRayTracer, name: str) -> dict[str, Any]:
    [found] = [document for document in tracer.daemon.documents() if document["name"] == name]
    return found


def test_in_lambda_a_batch_is_a_subsegment_of_the_functions_segment(in_lambda: XRayTracer) -> None:
    run(Nothing, XRay(sample_rate=0))
    [document] = in_lambda.daemon.documents()
    assert document["type"] == "subsegment"
    assert document["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert document["parent_id"] == "53995c3f42cd8ad8"
    assert document["annotations"] == {
        "consumer": "Nothing",
        "stream": "orders",
        "shard": "shardId-000000000007",
        "first_sequence_number": "100",
        "last_sequence_number": "102",
        "outcome": "complete",
    }
    assert document["metadata"]["kstream"] == {
        "request_id": "r-1",
        "outcome": {"kinesis_records": 3, "records": 3, "done": 3},
    }


def test_outside_lambda_a_batch_is_a_segment(outside: XRayTracer) -> None:
    run(Nothing, XRay(sample_rate=0))
    run(Nothing, XRay(sample_rate=0))
    one, other = outside.daemon.documents()
    assert "type" not in one
    assert one["name"] == "Nothing"
    assert one["trace_id"] != other["trace_id"]
    assert one["service"]["runtime"] == "CPython"


def test_a_segment_bears_the_services_name_where_the_recorder_has_one(
    outside: XRayTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xray_recorder, "service", "orders")
    run(Nothing, XRay())
    assert document_of(outside, "orders")["annotations"]["consumer"] == "Nothing"


def test_beneath_a_segment_of_the_users_it_is_a_subsegment_and_the_users_stays_open(outside: XRayTracer) -> None:
    with xray_recorder.in_segment("mine"):
        with xray_recorder.in_subsegment("my call") as call:
            run(Nothing, XRay(sample_rate=0))
            assert xray_recorder.current_subsegment() is call
        xray_recorder.put_annotation("after", 1)
    documents = {document["name"]: document for document in outside.daemon.documents()}
    assert documents["Nothing"]["parent_id"] == documents["mine"]["subsegments"][0]["id"]
    assert documents["Nothing"]["trace_id"] == documents["mine"]["trace_id"]
    assert documents["mine"]["annotations"] == {"after": 1}


def test_in_lambda_a_subsegment_around_the_handler_is_the_parent(in_lambda: XRayTracer) -> None:
    with xray_recorder.in_subsegment("around") as around:
        run(Nothing, XRay(sample_rate=0))
    assert document_of(in_lambda, "Nothing")["parent_id"] == around.id


@pytest.mark.parametrize("header", [INVOCATION.replace("Sampled=1", "Sampled=0"), "", "Root=garbage", INVOCATION[:35]])
def test_an_invocation_that_is_not_sampled_touches_nothing(
    in_lambda: XRayTracer, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    script = Script(failing={(101, 0): 1})
    run_script("threads", script, batch(entry(100), entry(101)), told=XRay(sample_rate=1))
    assert in_lambda.daemon.documents() == []
    assert not isinstance(xray_recorder.context, HandedOver)


def test_sampling_is_decided_for_each_invocation(in_lambda: XRayTracer, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = processor_of(Consumer(Nothing), telemetry=XRay(sample_rate=0))
    for sequence, sampled in ((100, "0"), (101, "1"), (102, "0")):
        monkeypatch.setenv("_X_AMZN_TRACE_ID", INVOCATION.replace("Sampled=1", f"Sampled={sampled}"))
        processor.process(batch(entry(sequence)))
    processor.close()
    assert document_of(in_lambda, "Nothing")["annotations"]["first_sequence_number"] == "101"


def test_outside_lambda_the_recorders_sampling_decides(outside: XRayTracer, monkeypatch: pytest.MonkeyPatch) -> None:
    class Never:
        def should_trace(self, request: object) -> bool:
            return False

    class Calls(Handler):
        def process(self, record: Record) -> None:
            with xray_recorder.in_subsegment("call") as call:
                assert not call.sampled

    monkeypatch.setattr(xray_recorder, "sampling", True)
    monkeypatch.setattr(xray_recorder, "sampler", Never())
    assert run(Calls, XRay(sample_rate=1)).complete
    assert outside.daemon.documents() == []


def test_with_the_sdk_disabled_nothing_is_told(outside: XRayTracer) -> None:
    global_sdk_config.set_sdk_enabled(False)
    try:
        assert run(Nothing, XRay(sample_rate=1)).complete
    finally:
        global_sdk_config.set_sdk_enabled(True)
    assert outside.daemon.documents() == []


def test_a_reject_is_an_error_and_any_other_failure_a_fault(in_lambda: XRayTracer) -> None:
    script = Script(rejected={(100, 0)}, failing={(101, 0): 9})
    run_script(
        "inline",
        script,
        batch(entry(100), entry(101)),
        told=XRay(sample_rate=0),
        retry=Retry(attempts=1),
        dead_letters=Letters(),
        ordering="none",
    )
    rejected, failed, top = in_lambda.daemon.documents()
    assert (rejected["error"], rejected["fault"]) == (True, False)
    assert rejected["annotations"] == {"sequence_number": "100", "outcome": "rejected"}
    assert rejected["cause"]["exceptions"][0]["message"] == "as scripted"
    assert rejected["metadata"]["kstream"]["partition_key"] == "a"
    assert failed["fault"] is True
    [exception] = failed["cause"]["exceptions"]
    assert exception["type"] == "Transient"
    assert exception["stack"][-1]["label"] == "befall"
    assert len(exception["stack"]) <= 10
    assert top["fault"] is True
    assert top["metadata"]["kstream"]["outcome"]["dead_lettered"] == 1


def test_a_batch_whose_ledger_fails_is_an_error_though_it_is_done(in_lambda: XRayTracer) -> None:
    class Throttled(MemoryLedger):
        def load(self, *args: Any, **options: Any) -> Any:
            raise LedgerError("throttled")

    run(Nothing, XRay(sample_rate=0), ledger=Throttled())
    top = document_of(in_lambda, "Nothing")
    assert (top["error"], top.get("fault")) == (True, None)
    assert top["metadata"]["kstream"]["outcome"]["ledger_failures"] == 1


def test_an_error_that_the_users_subsegment_has_told_is_referred_to(in_lambda: XRayTracer) -> None:
    class Fails(Handler):
        def process(self, record: Record) -> None:
            with xray_recorder.in_subsegment("call"):
                raise Transient("down")

    run(Fails, XRay(sample_rate=1), count=1, retry=Retry(attempts=1))
    record, call = document_of(in_lambda, "Fails record"), document_of(in_lambda, "call")
    assert record["cause"] == call["cause"]["exceptions"][0]["id"]
    assert record["metadata"]["kstream"]["error_type"] == "Transient"


def test_an_error_that_the_handler_noted_on_the_record_itself_stays_there(in_lambda: XRayTracer) -> None:
    class Notes(Handler):
        def process(self, record: Record) -> None:
            error = Transient("down")
            xray_recorder.get_trace_entity().add_exception(error, [])
            raise error

    run(Notes, XRay(sample_rate=1), count=1, retry=Retry(attempts=1))
    [exception] = document_of(in_lambda, "Notes record")["cause"]["exceptions"]
    assert (exception["type"], exception["message"]) == ("Transient", "down")


def test_what_a_handler_opens_and_forgets_holds_nothing_back(in_lambda: XRayTracer) -> None:
    class Forgets(Handler):
        def process(self, record: Record) -> None:
            xray_recorder.begin_subsegment("forgotten")

    run(Forgets, XRay(sample_rate=1))
    assert [document["name"] for document in in_lambda.daemon.documents()] == ["Forgets record"] * 3 + ["Forgets"]


def test_in_lambda_what_users_trace_is_sent_ahead(in_lambda: XRayTracer) -> None:
    """A batch may hold more calls than a document of 64 kB."""

    class Calls(Handler):
        def process(self, record: Record) -> None:
            for index in range(500):
                with xray_recorder.in_subsegment("call") as call:
                    call.put_metadata("index", str(index) * 100)

    run(Calls, XRay(sample_rate=0), count=1)
    documents = in_lambda.daemon.documents()
    assert len(documents) == 501
    assert "subsegments" not in documents[-1]


def test_outside_lambda_too_once_they_are_many(outside: XRayTracer) -> None:
    class Calls(Handler):
        def process(self, record: Record) -> None:
            for _ in range(500):
                with xray_recorder.in_subsegment("call"):
                    pass

    run(Calls, XRay(sample_rate=0), count=1)
    assert len(outside.spans()) == 501
    assert len(outside.daemon.documents()) > 10


EMOJI = "\U0001f600" * 250
"""What makes 3,000 bytes of an annotation, as the SDK writes it."""


class Annotates(Handler):
    def process(self, record: Record) -> None:
        for index in range(60):
            self.telemetry.annotate(f"note_{index}", EMOJI)


@pytest.mark.parametrize("sample_rate", [0, 1])
def test_annotations_that_no_document_can_hold_are_left_out_and_counted(
    in_lambda: XRayTracer, caplog: pytest.LogCaptureFixture, sample_rate: int
) -> None:
    run(Annotates, XRay(sample_rate=sample_rate), count=1)
    top = document_of(in_lambda, "Annotates")
    assert top["annotations"]["shard"] == "shardId-000000000007"
    assert top["annotations"]["outcome"] == "complete"
    held = top if sample_rate == 0 else document_of(in_lambda, "Annotates record")
    notes = [key for key in held["annotations"] if key.startswith("note_")]
    assert notes[:3] == ["note_0", "note_1", "note_2"]
    assert len(notes) > 10
    assert held["metadata"]["kstream"]["left_out_for_size"]["annotations"] > 10
    assert held["metadata"]["kstream"]["outcome"]
    assert "Failed to send" not in caplog.text


def test_what_a_handler_traces_goes_by_itself_where_one_document_cannot_hold_it(
    outside: XRayTracer, caplog: pytest.LogCaptureFixture
) -> None:
    """Outside Lambda the SDK would keep up to 30 subsegments in their parent, whatever they hold."""

    class Calls(Handler):
        def process(self, record: Record) -> None:
            with xray_recorder.in_subsegment("call") as call:
                call.put_metadata("query", "x" * 3_000)

    run(Calls, XRay(sample_rate=0), count=29)
    top, *calls = outside.daemon.documents()
    assert (top["name"], top["annotations"]["outcome"]) == ("Calls", "complete")
    assert "subsegments" not in top
    assert {(call["name"], call["parent_id"], call["trace_id"]) for call in calls} == {
        ("call", top["id"], top["trace_id"])
    }
    assert len(calls) == 29
    assert caplog.records == []


def test_metadata_that_no_document_can_hold_is_left_out_and_named(outside: XRayTracer) -> None:
    class Keeps(Handler):
        def process(self, record: Record) -> None:
            xray_recorder.put_metadata("row", "x" * 70_000)
            self.telemetry.annotate("customer", "c-7")
            with xray_recorder.in_subsegment("call") as call:
                call.put_metadata("row", "x" * 70_000, "mine")
                call.put_annotation("seen", True)
                call.set_sql({"sanitized_query": "select 1"})

    run(Keeps, XRay(sample_rate=0), count=1)
    top, call = outside.daemon.documents()
    assert (top["annotations"]["customer"], top["annotations"]["outcome"]) == ("c-7", "complete")
    assert list(top["metadata"]) == ["kstream"]
    assert top["metadata"]["kstream"]["left_out_for_size"] == {"metadata": 1}
    assert call["metadata"]["kstream"]["left_out_for_size"] == {"metadata": 1}
    assert call["annotations"] == {"seen": True}
    assert call["sql"] == {"sanitized_query": "select 1"}


class Unwritable:
    def __str__(self) -> str:
        raise OSError("broken")


@pytest.mark.parametrize("what", ["metadata", "sql", "aws", "kstream", "namespaces"])
def test_whatever_a_handler_puts_on_it_the_batchs_own_document_is_sent(in_lambda: XRayTracer, what: str) -> None:
    circular: list[object] = []
    circular.append(circular)

    class Puts(Handler):
        def process(self, record: Record) -> None:
            entity = xray_recorder.get_trace_entity()
            if what == "metadata":
                entity.put_metadata("row", circular)
            elif what == "sql":
                entity.set_sql({"sanitized_query": "x" * 70_000})
            elif what == "aws":
                entity.set_aws({"said": Unwritable()})
            elif what == "kstream":
                entity.put_metadata("row", "x" * 70_000, "kstream")
            else:
                for index in range(3_000):
                    entity.put_metadata("row", index, f"a namespace of the handler's {index}")
            entity.add_exception(ValueError("y" * 70_000), [("x" * 300, 1, "z" * 300)] * 500)

    run(Puts, XRay(sample_rate=0), count=1)
    top = document_of(in_lambda, "Puts")
    assert top["annotations"]["outcome"] == "complete"
    assert top["metadata"]["kstream"]["outcome"]["done"] == 1
    assert top["metadata"]["kstream"]["left_out_for_size"]


def test_the_deadlines_document_is_made_to_fit_too(in_lambda: XRayTracer) -> None:
    told: list[Processor] = []

    class Overdue(Annotates):
        def process(self, record: Record) -> None:
            super().process(record)
            told[0].deadline_passed()

    told.append(processor_of(Consumer(Overdue), telemetry=XRay(sample_rate=0)))
    told[0].process(batch(entry(100)))
    told[0].close()
    early, top = in_lambda.daemon.documents()
    assert (early["id"], early["in_progress"], early["annotations"]["outcome"]) == (top["id"], True, "out_of_time")
    assert early["metadata"]["kstream"]["left_out_for_size"]


@pytest.mark.parametrize("sample_rate", [0, 1])
def test_a_handlers_annotations_are_kept_beside_kstreams_own(in_lambda: XRayTracer, sample_rate: int) -> None:
    names = ("consumer", "stream", "shard", "first_sequence_number", "sequence_number", "outcome", "producer", "sha rd")

    class Names(Handler):
        def process(self, record: Record) -> None:
            for name in names:
                self.telemetry.annotate(name, "mine")
            raise Transient("no")

    run(Names, XRay(sample_rate=sample_rate), count=1, retry=Retry(attempts=1))
    top, record = document_of(in_lambda, "Names"), document_of(in_lambda, "Names record")
    mine = {"handler_" + name for name in names[:-1]} | {"sha_rd"}
    assert {key for key, value in (record if sample_rate else top)["annotations"].items() if value == "mine"} == mine
    assert (top["annotations"]["shard"], top["annotations"]["outcome"]) == ("shardId-000000000007", "incomplete")
    assert record["annotations"]["outcome"] == "failed"


@pytest.mark.parametrize("sample_rate", [0, 1])
@pytest.mark.parametrize("place", ["subsegment", "segment", "entity"])
@pytest.mark.parametrize("where", ["in_lambda", "outside"])
def test_without_error_messages_the_handlers_own_subsegments_have_none_either(
    request: pytest.FixtureRequest, where: str, place: str, sample_rate: int
) -> None:
    tracer: XRayTracer = request.getfixturevalue(where)

    class Quotes(Handler):
        def process(self, record: Record) -> None:
            error = Transient("card 4111-1111")
            if place == "entity":
                xray_recorder.get_trace_entity().add_exception(error, [])
                raise error
            with xray_recorder.in_subsegment("call") if place == "subsegment" else xray_recorder.in_segment("own"):
                raise error

    run(Quotes, XRay(sample_rate=sample_rate, error_messages=False), count=2, retry=Retry(attempts=1))
    documents = tracer.daemon.documents()
    assert "Transient" in str(documents)
    assert "4111-1111" not in str(documents)
    run(Quotes, XRay(sample_rate=sample_rate), count=1, retry=Retry(attempts=1))
    assert "4111-1111" in str(tracer.daemon.documents())


def test_a_segment_of_a_handlers_own_is_sent_and_leaves_the_record_as_it_was(in_lambda: XRayTracer) -> None:
    class Own(Handler):
        def process(self, record: Record) -> None:
            before = xray_recorder.get_trace_entity()
            with xray_recorder.in_segment("own"), xray_recorder.in_subsegment("in it"):
                pass
            xray_recorder.end_segment()
            xray_recorder.end_subsegment()
            xray_recorder.clear_trace_entities()
            assert xray_recorder.get_trace_entity() is before

    outcome = run(Own, XRay(sample_rate=1), count=1)
    assert outcome.complete
    assert document_of(in_lambda, "in it")["parent_id"] == document_of(in_lambda, "own")["id"]
    assert document_of(in_lambda, "Own record")["parent_id"] == document_of(in_lambda, "Own")["id"]


def test_a_thread_of_the_users_takes_the_record_over_as_the_sdk_says(outside: XRayTracer) -> None:
    class HandsOver(Handler):
        def process(self, record: Record) -> None:
            entity = xray_recorder.get_trace_entity()

            def elsewhere() -> None:
                xray_recorder.set_trace_entity(entity)
                with xray_recorder.in_subsegment("elsewhere"):
                    pass
                xray_recorder.clear_trace_entities()

            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()

    run(HandsOver, XRay(sample_rate=1), count=1)
    assert document_of(outside, "HandsOver record")["subsegments"][0]["name"] == "elsewhere"


def test_outside_a_batch_the_recorder_is_as_it_was(outside: XRayTracer, caplog: pytest.LogCaptureFixture) -> None:
    run(Nothing, XRay(sample_rate=1))
    before = xray_recorder.context.context_missing
    assert before == "LOG_ERROR"
    assert xray_recorder.get_trace_entity() is None
    assert "cannot find the current segment" in caplog.text
    xray_recorder.context.context_missing = "RUNTIME_ERROR"
    with pytest.raises(SegmentNotFoundException):
        xray_recorder.get_trace_entity()
    assert run(Nothing, XRay(sample_rate=1)).complete
    assert xray_recorder.context.context_missing == "RUNTIME_ERROR"


def test_a_batch_makes_the_sdk_complain_of_nothing(outside: XRayTracer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        run(Nothing, XRay(sample_rate=1), max_workers=4, ordering="none", name="orders (all of them)!")
    assert caplog.records == []
    assert "orders _all of them__" in {document["name"] for document in outside.daemon.documents()}


def test_a_context_that_replaces_ours_is_taken_over_with_the_next_batch(outside: XRayTracer) -> None:
    run(Nothing, XRay(sample_rate=0))
    xray_recorder.context = Context()
    run(Nothing, XRay(sample_rate=0))
    assert isinstance(xray_recorder.context, HandedOver)
    assert len(outside.daemon.documents()) == 2


def test_a_dead_socket_changes_nothing(outside: XRayTracer, caplog: pytest.LogCaptureFixture) -> None:
    script = Script(failing={(101, 0): 1}, rejected={(102, 0)})
    given = [entry(100 + index) for index in range(10)]
    expected = run_script("threads", Script(failing={(101, 0): 1}, rejected={(102, 0)}), batch(*given), ordering="none")
    xray_recorder.emitter._socket.close()
    assert run_script("threads", script, batch(*given), told=XRay(sample_rate=1), ordering="none") == expected
    assert outside.daemon.documents() == []
    assert "Failed to send entity to Daemon" in caplog.text


def test_a_port_where_nobody_listens_changes_nothing(outside: XRayTracer) -> None:
    xray_recorder.emitter.set_daemon_address("127.0.0.1:9")
    assert run(Nothing, XRay(sample_rate=1)).complete


@pytest.mark.parametrize("broken", ["begin_segment", "context", "emitter"])
def test_a_recorder_that_raises_changes_nothing(
    outside: XRayTracer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    class Broken:
        def __call__(self, *args: object, **options: object) -> object:
            raise OSError("broken")

        def __getattr__(self, name: str) -> object:
            raise OSError("broken")

    monkeypatch.setattr(xray_recorder, broken, Broken())
    outcome = run(Nothing, XRay(sample_rate=1), max_workers=2, ordering="none")
    assert (outcome.done, outcome.failed) == (3, 0)
    assert "telemetry failed, and is ignored" in caplog.text


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aws_xray_sdk", None)
    with pytest.raises(ConfigurationError, match=r"kstream\[xray\]"):
        XRay()


class Asks(Handler):
    """A producer inside a handler."""

    def __init__(self) -> None:
        self.said: list[dict[str, str]] = []

    def process(self, record: Record) -> None:
        self.said.append(trace_headers())
        assert current_trace_headers() == trace_headers()
        if record.sequence_number == "102":
            raise Reject("enough")


def test_what_a_handler_sends_goes_on_in_its_records_trace(outside: XRayTracer) -> None:
    asks = Asks()
    processor = processor_of(Consumer(asks), telemetry=XRay(sample_rate=1))
    processor.process(batch(entry(100), entry(101)))
    processor.close()
    records = [document for document in outside.daemon.documents() if document["name"] == "Asks record"]
    said = [TraceContext.from_headers(headers) for headers in asks.said]
    assert [(one.xray_trace_id, one.parent_id, one.sampled) for one in said if one] == [
        (record["trace_id"], record["id"], True) for record in records
    ]
    assert all(set(headers) == {"traceparent", "X-Amzn-Trace-Id"} for headers in asks.said)
    assert trace_headers() == {}


def test_without_anything_open_lambdas_own_trace_goes_on(
    in_lambda: XRayTracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "")
    assert trace_headers() == {}
    monkeypatch.setenv("_X_AMZN_TRACE_ID", INVOCATION)
    assert trace_headers()["X-Amzn-Trace-Id"] == INVOCATION.partition(";Lineage")[0]
    monkeypatch.setenv("_X_AMZN_TRACE_ID", INVOCATION.replace("5759e988", "5759e989").replace("Sampled=1", "Sampled=0"))
    assert trace_headers()["traceparent"].endswith("-00")


def test_asking_what_is_open_makes_the_sdk_complain_of_nothing(
    outside: XRayTracer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert trace_headers() == {}
        assert current_trace_headers() == {}
    assert caplog.records == []
