"""What the live commands exit with and say when something is wrong before, or while, CloudFormation is asked."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from deploy.__main__ import main
from deploy.commands import showing
from deploy.commands.scratch import scratch
from deploy.config import load
from deploy.stack import leaving
from deploy.stack.account import Account
from deploy.stack.errors import ChangeRefused, DataWouldBeLost
from deploy.stack.following import Event
from deploy.stack.holdings import Held, name_of
from deploy.synthesis import stacks
from kstream.aws import clients
from tests.golden.deploy import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIVE = ("plan", "up", "status", "down")


@pytest.mark.parametrize("command", LIVE)
def test_a_wrong_file_exits_with_1_since_2_means_changes(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pipeline.toml"
    file.write_text("name = 'shop'\n[stream.orders]\n")
    assert main([command, "--config", str(file)]) == 1
    assert "did you mean 'streams'?" in " ".join(capsys.readouterr().err.split())
    assert main([command, "--config", str(file), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["problems"][0]["path"] == "stream"
    assert told["error"] == "InvalidConfiguration"  # as every other error has its name there


@pytest.mark.parametrize("command", LIVE)
@pytest.mark.parametrize("words", [["--nonsense"], ["--wait", "soon"], ["--wait", "0"]])
def test_a_wrong_option_exits_with_1_too(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, *words])
    assert ended.value.code == 1
    assert words[-1] in capsys.readouterr().err


def refusal(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[str, str]:
    """The error that a command ends with, and the next command."""
    capsys.readouterr()
    assert main([*command, "--json"]) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found["error"], found["next"]


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment, which boto3's session then reads anew."""
    clients._session.cache_clear()
    yield monkeypatch
    clients._session.cache_clear()


def small(folder: Path, text: str = "") -> list[str]:
    file = folder / "pipeline.toml"
    file.write_text(f"name = 'shop'\n{text}\n[streams.s]\n")
    return ["--config", str(file)]


@pytest.mark.parametrize("command", LIVE)
def test_without_credentials_the_next_command_gets_some(
    command: str, tmp_path: Path, surroundings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        surroundings.delenv(name)
    assert refusal(capsys, command, *small(tmp_path, "region = 'eu-west-1'")) == ("NoCredentials", "aws configure")


def test_a_profile_that_is_not_there_is_a_matter_of_credentials(
    tmp_path: Path, surroundings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings.setenv("AWS_PROFILE", "prod")
    assert refusal(capsys, "plan", *small(tmp_path))[0] == "NoCredentials"


def test_without_a_region_the_next_command_names_one(
    tmp_path: Path, surroundings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings.delenv("AWS_DEFAULT_REGION")
    error, then = refusal(capsys, "up", *small(tmp_path))
    assert error == "WrongRegion"
    assert then.startswith("python -m deploy plan --region NAME")


def test_another_region_than_the_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = small(tmp_path, "region = 'eu-west-1'")
    error, then = refusal(capsys, "up", *where, "--region", "us-east-1")
    assert (error, then) == ("WrongRegion", f"python -m deploy plan {' '.join(where)}")


@pytest.mark.parametrize("command", ["plan", "synth"])
@pytest.mark.parametrize("url", ["foo", "", "ftp://127.0.0.1", "http://", "http://127.0.0.1:port"])
def test_an_address_that_is_none_is_told_so(command: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--endpoint-url", url, "--json"])
    assert ended.value.code == (1 if command == "plan" else 2)
    found = json.loads(capsys.readouterr().out)
    assert found["error"] == "Usage"
    assert "is no address of an emulator" in found["message"]
    assert found["next"] == f"python -m deploy {command} --help"


def test_a_template_that_is_too_large_is_named_with_a_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("deploy.synthesis.UPLOAD_LIMIT", 100)
    error, then = refusal(capsys, "up", *small(tmp_path))
    assert error == "TemplateTooLarge"
    assert then.startswith("python -m deploy plan --config")


@pytest.mark.parametrize(
    ("limit", "error"), [("environment.LIMIT", "EnvironmentTooLarge"), ("policy_size.ROLE_LIMIT", "PolicyTooLarge")]
)
def test_a_consumer_that_aws_would_not_take_is_named_with_a_next_command(
    limit: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(f"deploy.{limit}", 100)
    where = small(tmp_path, "[consumers.c]\nstream = 's'\nhandler = 'app.lambda_handler'")
    assert refusal(capsys, "plan", *where) == (error, f"python -m deploy lint {' '.join(where)}")


def test_a_package_that_cannot_be_made_is_named_with_a_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next one makes packages and asks nobody."""
    monkeypatch.setattr("deploy.stack.account.identify", lambda *_, **__: Account("1" * 12, "eu-west-1", str))
    where = small(tmp_path, "[consumers.c]\nstream = 's'\nhandler = 'not_there.lambda_handler'")
    error, then = refusal(capsys, "plan", *where)
    assert error == "PackageError"
    assert then == f"python -m deploy package {' '.join(where)}"


@pytest.mark.parametrize("as_json", [False, True])
def test_where_nobody_answers_the_error_names_itself_and_what_is_next(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", str(ROOT / "pipeline.toml"), "--endpoint-url", "http://127.0.0.1:9"]
    assert main(["status", *where, *(["--json"] if as_json else [])]) == 1
    said = capsys.readouterr()
    if as_json:
        found = json.loads(said.out)
        assert found["error"] == "Unreachable"
        assert found["next"].startswith("python -m deploy status --config")
    else:
        assert said.err.startswith("Unreachable: ")
        assert "\nNext: python -m deploy status --config" in said.err


def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.commands.up.up", interrupted)
    assert main(["up"]) == 130
    said = capsys.readouterr().err
    assert "CloudFormation goes on" in said
    assert "Next: python -m deploy up" in said


def test_an_interrupted_down_goes_on_with_the_same_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.commands.down.down", interrupted)
    assert main(["down", "--delete-data", "a", "b", "--env", "prod"]) == 130
    assert "Next: python -m deploy down --delete-data a b --env prod" in capsys.readouterr().err


def test_packages_that_a_killed_command_left_go_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, new, other = (tmp_path / name for name in ("kstream-packages-old", "kstream-packages-new", "else"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "a.zip").touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    with scratch() as own:
        assert own.parent == tmp_path
        assert {folder.name for folder in tmp_path.iterdir()} == {new.name, other.name, own.name}
    assert not own.exists()


@pytest.mark.parametrize("make", [showing.Lines, showing.JsonLines])
def test_events_are_told_a_line_each(
    make: Callable[[], showing.Lines | showing.JsonLines], capsys: pytest.CaptureFixture[str]
) -> None:
    """Into a pipe: no colours, nothing that moves, no line broken."""
    with make() as reporter:
        reporter.step("shop-stream", "creating")
        reporter.event(Event("1", "shop-stream", "S", "AWS::Kinesis::Stream", "CREATE_FAILED", "no [more] " * 30))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "\x1b" not in "".join(lines)
    assert "CREATE_FAILED" in lines[1]
    assert "no [more] no [more]" in lines[1]


def test_names_of_what_is_held_are_those_that_cloudformation_makes() -> None:
    def no_client(service: str) -> Any:
        raise AssertionError(service)

    account = Account("123456789012", "eu-west-1", no_client)
    holdings = [holding for stack in stacks(load(ROOT / "pipeline.toml")) for holding in stack.holds]
    assert {name_of(account, holding) for holding in holdings if holding.kept} == {
        "flights",
        "flights-delays",
        "flights-archive-123456789012-eu-west-1",
    }


def test_down_wants_the_names_of_what_would_be_lost_and_no_others() -> None:
    held = (
        Held("kept", "stream", kept=True, holds="records"),
        Held("letters", "queue", kept=False, holds="about 3 messages"),
        Held("empty", "queue", kept=False, holds=""),
        Held("strange", "table", kept=True, holds="", ours=False),
    )
    found = [leaving.Leaving("shop-stream", held, names=frozenset({"kept", "gone"}))]
    with pytest.raises(DataWouldBeLost, match=r"queue letters \(about 3 messages\)") as lost:
        leaving.require_named(found, ["kept"])
    assert lost.value.then == "down --delete-data kept letters"
    leaving.require_named(found, ["letters"])
    leaving.require_named(found, ["letters", "gone"])
    with pytest.raises(ChangeRefused, match="did you mean 'letters'"):
        leaving.require_named(found, ["leters"])
    with pytest.raises(ChangeRefused, match="its tag kstream:pipeline is missing or another's"):
        leaving.require_named(found, ["letters", "strange"])
