"""The front page, the exit codes, and errors in one line."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from kstream.cli.app import build
from kstream.cli.failures import told_plainly
from kstream.core.errors import ConfigurationError, KstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMANDS = ("dev", "consume", "produce", "tail")


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_every_help_tells_the_exit_codes(command: list[str]) -> None:
    result = CliRunner().invoke(build(), [*command, "--help"])

    assert result.exit_code == 0
    told = " ".join(result.output.split())
    assert "0 fine; 1 something failed while running; 2 wrong usage or configuration; 130 Ctrl-C" in told


def commands(group: Any = None, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in (group or typer.main.get_command(build())).commands.items():
        yield from commands(command, (*above, name)) if hasattr(command, "commands") else [(*above, name)]


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_speaks_of_things_and_not_of_types(command: tuple[str, ...]) -> None:
    output = CliRunner().invoke(build(), [*command, "--help"]).output
    assert re.findall(r"<(?:str|int|float|path|bool|list)\b.*?>|\b(?:INTEGER|FLOAT|BOOLEAN)\b", output) == []


def test_the_front_page_names_every_command() -> None:
    output = CliRunner().invoke(build(), ["-h"]).output

    assert all(f"\n  {command} " in output for command in COMMANDS)


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(build(), ["--version"]).output.startswith("kstream 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["consume", "nowhere.py", "--stream", "s", "--endpoint-url", "http://127.0.0.1:1"],
            "there is no file nowhere",
        ),
        (["consume", "x.py", "--stream", "s", "--batch-size", "0"], "batch_size is 0; AWS allows 1 to 10,000"),
        (["consume", "x.py", "--starting-position", "soon"], "'soon' is no place in a stream"),
        (["dev", "x.py", "--port", "99999"], "--port 99999: give 1 to 65535, or 0 for a free one"),
        (["dev", "x.py", "--kinesis-port", "-1"], "--kinesis-port -1: give 1 to 65535"),
        (["dev", "x.py", "--metrics-port", "65536"], "--metrics-port 65536: give 1 to 65535"),
        (["consume", "x.py", "--stream", "s", "--metrics-port", "-1"], "--metrics-port -1: give 1 to 65535"),
        (["dev"], "name a consumer, as in kstream dev consumers/yours.py"),
        (["dev", "nowhere.py"], "there is no file nowhere.py"),
        (["dev", "nowhere.py", "--batch-size", "5"], "--batch-size is an option of kstream consume: give it after --"),
        (["produce", "nowhere.jsonl"], "or name its directory with --state-dir"),
        (["produce", "nowhere.jsonl", "--url", "http://127.0.0.1:1", "--stream", "s"], "cannot read nowhere.jsonl"),
        (["produce", "--url", "http://x", "--stream", "s", "--direct"], "--url is the ingest API"),
        (["tail"], "or name its directory with --state-dir"),
        (["tail", "--stream", "s", "--endpoint-url", "nonsense"], "endpoint 'nonsense' is not a URL"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(build(), arguments)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("behind", "message"),
    [
        (["--batchsize", "5"], "No such option: --batchsize"),
        (["--batch-size", "many"], "Invalid value for '--batch-size'"),
        (["--batch-size"], "Option '--batch-size' requires an argument"),
        (["--hurry", "other.py"], "(other.py)"),
    ],
)
@pytest.mark.parametrize("named", [["totals.py"], []], ids=["named", "the only one"])
def test_what_stands_behind_the_dashes_is_read_before_anything_starts(
    named: list[str], behind: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "totals.py").write_text("")
    (tmp_path / "consumers").mkdir()
    (tmp_path / "consumers" / "totals.py").write_text("")
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(build(), ["dev", *named, "--", *behind], prog_name="kstream")

    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / ".kstream").exists()


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigurationError("wrong"), 2, "error: wrong\n"),
        (KstreamError("failed"), 1, "error: failed\n"),
        (ZeroDivisionError("oh"), 1, "error: unexpected ZeroDivisionError: oh; run it again with --debug"),
    ],
)
def test_errors_are_told_plainly(error: Exception, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, told_plainly(debug=False):
        raise error
    assert caught.value.exit_code == code
    assert capsys.readouterr().err.startswith(told)
    with pytest.raises(type(error)), told_plainly(debug=True):
        raise error


@pytest.mark.parametrize("module", ["kstream", "kstream.cli"])
def test_it_runs_as_a_module_too(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "tail", "-h"], capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert "Usage: kstream tail " in done.stdout


def test_without_its_libraries_it_says_what_to_install() -> None:
    """As after `pip install kstream` alone."""
    code = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("typer", "rich") else real(name, *rest)
from kstream.cli import main
assert "typer" not in sys.modules
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == "kstream: the command line needs typer, rich: pip install 'kstream[local]'\n"
