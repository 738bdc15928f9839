"""The commands: what they write and say, and their exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from deploy.__main__ import main
from tests.golden.deploy import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = ["--config", str(ROOT / "examples" / "pipeline-minimal.toml")]


@pytest.fixture
def wrong(tmp_path: Path) -> list[str]:
    (tmp_path / "pipeline.toml").write_text("name = 'shop'\n[stream.orders]\n")
    return ["--config", str(tmp_path / "pipeline.toml")]


def test_synth_writes_a_template_for_each_stack_and_a_list_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", *MINIMAL, "--out", str(tmp_path / "out")]) == 0

    names = ["orders-stream", "orders-consumer-totals", "orders-monitoring"]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*(f"{name}.json" for name in names), "stacks.json"}
    listed = json.loads((tmp_path / "out" / "stacks.json").read_text())
    assert [stack["name"] for stack in listed] == names
    assert listed[1]["parameters"]["CodeKey"] == {"package": "key", "of": "totals"}
    said = capsys.readouterr().out
    assert "3 stacks" in said
    assert "Kinesis::Stream" in said


def test_synth_says_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", *MINIMAL, "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "stacks.json").read_text())


def test_lint_exits_with_1_for_a_finding_and_0_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", *MINIMAL]) == 0
    assert "Nothing found" in capsys.readouterr().out
    file = tmp_path / "pipeline.toml"
    file.write_text("name='a'\n[streams.s]\n[consumers.c]\nhandler='a.b'\nstream='s'\ndead_letters='none'\n")
    assert main(["lint", "--config", str(file)]) == 1
    said = capsys.readouterr().out
    assert "KS012" in said
    assert "docs/reference/lint-rules.md#ks012" in said
    assert main(["lint", "--config", str(file), "--json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["rule"], finding["path"], finding["accepted"]) == ("KS012", "consumers.c.dead_letters", None)
    file.write_text(file.read_text() + "[accept]\nKS012 = 'an [odd] reason'\n")
    assert main(["lint", "--config", str(file)]) == 0
    assert "accepted: an [odd] reason" in capsys.readouterr().out


def test_cost_adds_up_what_is_paid_at_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *MINIMAL, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["monthlyAtRest"] == pytest.approx(sum(item["monthly"] or 0 for item in told["items"]))
    assert main(["cost", *MINIMAL]) == 0
    assert "At rest" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["synth", "lint", "cost", "package"])
def test_a_configuration_that_cannot_be_used_exits_with_2(
    command: str, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *wrong]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "stream: there is no such setting; did you mean 'streams'?" in said
    assert main([command, *wrong, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["problems"][0]["path"] == "stream"


def test_an_unknown_environment_or_consumer_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", *MINIMAL, "--env", "prod"]) == 2
    assert main(["package", *MINIMAL, "--consumer", "total"]) == 2
    assert "did you mean 'totals'?" in " ".join(capsys.readouterr().err.split())


def test_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "pipeline.toml"
