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
from tests.docs.pages import ROOT, Page

if TYPE_CHECKING:
    from kstream import Record

SAID = " ".join(Page("README.md").section("What it does not do").split())


def test_no_other_event_source() -> None:
    assert "Kinesis is the only event source" in SAID

    class Nothing(Handler):
        def process(self, record: Record) -> None: ...

    for source in ("aws:dynamodb", "aws:sqs"):
        with pytest.raises(EventError):
            on_lambda(Consumer(Nothing))({"Records": [{"eventSource": source}]})


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
