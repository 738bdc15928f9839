"""What the README says is missing is missing. Whoever adds it takes the sentence out, in the README and elsewhere."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
import typer

import kstream
from kstream import Consumer, EventError, Handler, on_lambda
from kstream.cli.app import build
from kstream.local.door import Lock
from kstream.local.pipeline import Pipeline
from kstream.redrive.on_failure import NotOnFailure, on_failure_of
from kstream.testing import dynamodb_event, kinesis_event, sqs_event
from tests.docs.pages import ROOT, Page

if TYPE_CHECKING:
    from kstream import Record

SAID = " ".join(Page("README.md").section("What it does not do").split())


def test_three_event_sources_and_no_other() -> None:
    assert "`on_lambda` reads Kinesis, DynamoDB Streams and SQS, and no other event" in SAID

    class Nothing(Handler):
        def process(self, record: Record) -> None: ...

    function = on_lambda(Consumer(Nothing))
    for event in (kinesis_event(["x"]), dynamodb_event([{"id": "x"}]), sqs_event(["x"])):
        assert function(event) == {"batchItemFailures": []}
    for source in ("aws:sns", "aws:kafka", "aws:mq"):
        with pytest.raises(EventError):
            function({"Records": [{"eventSource": source}]})


def test_only_kinesis_has_on_failure_messages_that_are_redriven() -> None:
    assert "Only Kinesis has the rest" in SAID
    assert "the redrive of AWS's own on-failure messages" in SAID
    with pytest.raises(NotOnFailure, match="not of a Kinesis stream"):
        on_failure_of({"DDBStreamBatchInfo": {}})


def test_no_other_runtime() -> None:
    assert "the KCL runtime" in SAID
    assert not list((ROOT / "kstream" / "runtimes").glob("*kcl*"))


def test_no_windows_and_no_producer_library() -> None:
    assert "tumbling windows, a producer library" in SAID
    assert not {"WindowHandler", "Producer", "AsyncProducer"} & set(kstream.__all__)


def test_no_lock_at_the_local_door_but_a_test_key() -> None:
    assert "takes everybody's records, or with `--lock iam` those signed with a test key" in SAID
    assert inspect.signature(Pipeline).parameters["lock"].default == "none"
    assert [lock.value for lock in Lock] == ["none", "iam"]


def test_no_doctor() -> None:
    assert "`kstream doctor`" in SAID
    commands = typer.main.get_command(build()).commands  # type: ignore[attr-defined]
    assert "doctor" not in commands
