"""What the README says is missing is missing. Whoever adds it takes the sentence out, in the README and elsewhere."""

from __future__ import annotations

import typer

import kstream
from kstream.cli.app import build
from tests.docs.pages import ROOT, Page

SAID = Page("README.md").section("What it does not do")


def test_no_deployment() -> None:
    assert "deployment" in SAID
    assert not (ROOT / "deploy").exists()


def test_no_other_runtime() -> None:
    assert "the KCL runtime" in SAID
    assert not list((ROOT / "kstream" / "runtimes").glob("*kcl*"))


def test_no_windows_and_no_producer_library() -> None:
    assert "tumbling windows, a producer library" in SAID
    assert not {"WindowHandler", "Producer", "AsyncProducer"} & set(kstream.__all__)


def test_no_templates() -> None:
    assert "API Gateway's side" in SAID
    assert not (ROOT / "kstream" / "ingest" / "templates").exists()


def test_no_metrics_and_no_tracing() -> None:
    assert "metrics and tracing" in SAID
    assert {file.name for file in (ROOT / "kstream" / "telemetry").glob("*.py")} == {"__init__.py", "logs.py"}


def test_no_doctor() -> None:
    assert "`kstream doctor`" in SAID
    commands = typer.main.get_command(build()).commands  # type: ignore[attr-defined]
    assert "doctor" not in commands
