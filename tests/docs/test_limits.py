"""What the README says is missing is missing. Whoever adds it takes the sentence out, in the README and elsewhere."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest
import typer

import kstream
from kstream import Consumer, EventError, Handler, on_lambda
from kstream.cli.app import build
from kstream.local.pipeline import Pipeline
from tests.docs.pages import ROOT, Page

if TYPE_CHECKING:
    from kstream import Record

SAID = " ".join(Page("README.md").section("What it does not do").split())


def test_no_adoption_of_what_stands(capsys: pytest.CaptureFixture[str]) -> None:
    from deploy.__main__ import main

    assert "adopts" in SAID
    with pytest.raises(SystemExit) as ended:
        main(["up", "--adopt"])
    assert ended.value.code == 1
    assert "unrecognized arguments: --adopt" in capsys.readouterr().err


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


def test_no_lock_at_the_local_door() -> None:
    assert "takes everybody's records" in SAID
    assert "authorize" not in inspect.signature(Pipeline).parameters


def test_no_metrics_and_no_tracing() -> None:
    assert "metrics and tracing" in SAID
    assert {file.name for file in (ROOT / "kstream" / "telemetry").glob("*.py")} == {"__init__.py", "logs.py"}


def test_no_doctor() -> None:
    assert "`kstream doctor`" in SAID
    commands = typer.main.get_command(build()).commands  # type: ignore[attr-defined]
    assert "doctor" not in commands
