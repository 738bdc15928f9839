"""The commands: what they write and say, and their exit codes."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy import output
from deploy.__main__ import main
from deploy.package import Package
from kstream import metrics
from tests.golden.deploy import ROOT

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


@pytest.mark.parametrize(
    ("mistyped", "hint"), [("lnt", "; did you mean 'lint'?"), ("stats", "; did you mean 'status'?"), ("xyz", ";")]
)
def test_a_command_that_is_none_is_told_the_nearest(
    mistyped: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([mistyped])

    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"there is no command '{mistyped}'{hint} give one of synth, lint, cost, package, " in said
    with pytest.raises(SystemExit):
        main([mistyped, "--json"])
    assert hint in json.loads(capsys.readouterr().out)["message"]


def test_in_a_pipe_a_cost_is_one_line_whatever_the_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["cost", *MINIMAL, "--json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]

    assert main(["cost", *MINIMAL]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(items) + 3
    for line, item in zip(lines[1:], items, strict=False):
        assert line.startswith(item["what"])
        assert item["why"] in line


@pytest.mark.parametrize("command", [["lint"], ["cost"], ["synth", "--out", "x"]])
def test_the_same_options_go_with_every_command(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever works with LocalStack says so once; those that ask nobody take no notice."""
    monkeypatch.chdir(tmp_path)
    assert main([*command, *MINIMAL, "--endpoint-url", "http://127.0.0.1:9"]) == 0


def test_cost_adds_up_what_is_paid_at_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", *MINIMAL, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["monthlyAtRest"] == pytest.approx(sum(item["monthly"] or 0 for item in told["items"]))
    assert main(["cost", *MINIMAL]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "At rest" in said
    assert (told["region"], told["compared"]) == ("us-east-1", "November 2026")
    assert "list prices of us-east-1, compared in November 2026" in said


def test_what_is_kept_for_longer_and_what_is_measured_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Retention is paid by the shard up to a week, by the gigabyte beyond it and on demand; each series by the hour."""
    (tmp_path / "pipeline.toml").write_text(
        "name = 'a'\n[streams.free]\nretention_hours = 48\n"
        "[streams.fixed]\nmode = 'provisioned'\nshards = 2\nretention_hours = 200\n"
        "[consumers.c]\nhandler = 'a.b'\nstream = 'free'\n"
    )
    assert main(["cost", "--config", str(tmp_path / "pipeline.toml"), "--json"]) == 0
    told = {item["what"]: item for item in json.loads(capsys.readouterr().out)["items"]}
    assert told["Stream free, kept for longer"]["monthly"] is None
    assert told["Stream fixed, kept up to a week"]["monthly"] == pytest.approx(2 * 730 * 0.02)
    assert told["Stream fixed, kept for longer"]["monthly"] is None
    most = f"{len(metrics.ALL)} series of each of 1 consumers: up to {len(metrics.ALL) * 0.30:.2f} a month"
    assert most in told["kstream's own metrics"]["why"]


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


def test_templates_of_stacks_that_are_gone_go_and_other_files_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "pipeline.toml", tmp_path / "out"
    one = "name = 'a'\n[streams.s]\n[consumers.c]\nhandler = 'a.b'\nstream = 's'\n"
    two = one + "[consumers.d]\nhandler = 'a.b'\nstream = 's'\n"
    for text in (two, one):
        file.write_text(text)
        assert main(["synth", "--config", str(file), "--out", str(out)]) == 0
        (out / "mine.json").touch()
    assert {path.name for path in out.iterdir()} == {
        "a-stream.json", "a-consumer-c.json", "a-monitoring.json", "stacks.json", "mine.json"
    }  # fmt: skip
    for index in ("no JSON", '[{"name": "../pipeline"}]', '[{"name": "mine", "x": 1}, 7]'):
        (out / "stacks.json").write_text(index)
        assert main(["synth", "--config", str(file), "--out", str(out)]) == 0
    assert file.exists()
    assert (out / "mine.json").exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_folder_that_cannot_be_made_is_named(
    as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "file"
    out.touch()
    assert main(["synth", *MINIMAL, "--out", str(out), *(["--json"] if as_json else [])]) == 2
    said = capsys.readouterr()
    if as_json:
        assert json.loads(said.out) == {"error": "FileError", "message": f"{out}: File exists"}
    else:
        assert said.err == f"{out}: File exists\n"


def test_an_interrupted_package_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.package.packages", interrupted)
    assert main(["package", *MINIMAL]) == 130
    assert capsys.readouterr().err.startswith("interrupted\nNext: python -m deploy package --config ")


def test_the_names_of_packages_are_never_cut() -> None:
    """In a pipe a table has 80 columns, and a file of which the end is missing is no use."""
    file = Path(f"build/packages/{'orders-' * 12}totals.zip")
    package = Package("orders-totals", file, "0" * 64, 754_042, 2_458_457, (("wrapt", 1_098_059),))
    said = StringIO()
    output.show_packages(Console(file=said, width=80), [package])
    assert str(file) in "".join(line.split("  ")[0].strip() for line in said.getvalue().splitlines()[1:])
