"""`kstream dead-letters` over directories: what is listed, how it is shown, and what wrong usage says."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from kstream.cli.app import build
from kstream.cli.dead_letters_format import ItemTable, payload_lines, position_of, printable
from kstream.cli.output import Output
from kstream.redrive.directory_source import DirectorySource
from kstream.redrive.item import item_of
from kstream.runtimes.lambda_event import batch_of
from kstream.stores.directory import DirectoryDeadLetters
from kstream.testing import sqs_event
from tests.support.commands import KSTREAM
from tests.unit.redrive.builders import golden, letter

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

CONSUMER = """
from kstream import Consumer, Handler

class Totals(Handler):
    def process(self, record):
        if record.partition_key == "fails":
            raise RuntimeError("not today")

consumer = Consumer(Totals, retry=__import__("kstream").Retry(attempts=1))
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), ["dead-letters", *arguments])


@pytest.fixture
def sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryDeadLetters:
    """The dead letters of the consumer Totals of this directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "totals.py").write_text(CONSUMER)
    sink = DirectoryDeadLetters(tmp_path / ".kstream" / "dead-letters" / "Totals")
    sink.put(letter(0, key="a"))
    sink.put(letter(1, b"\x00\xff", key="fails", reason="timed\x1b[31m out", later=3600))
    return sink


def ids() -> dict[str, str]:
    return {item["partitionKey"]: item["id"] for item in map(json.loads, run("list", "--json").stdout.splitlines())}


def test_by_default_every_consumers_letters_of_this_directory_are_listed(sink: DirectoryDeadLetters) -> None:
    DirectoryDeadLetters(".kstream/dead-letters/Other").put(letter(consumer="Other", key="o"))

    lines = run("list").stdout.splitlines()

    assert lines[0].split("\t") == [
        "2026-01-02T03:06:00+00:00", "Other", ids()["o"],
        "shardId-000000000001:49590338271490256608559692538361571095921575989136588898:0",
        "o", "negative amount", "Reject", "1", "14 B",
    ]  # fmt: skip
    assert [line.split("\t")[1] for line in lines[:3]] == ["Other", "Totals", "Totals"]
    assert lines[3].startswith("3 in dir:")


def test_the_folder_of_the_consumers_folders_names_those_that_hold_letters(
    sink: DirectoryDeadLetters, tmp_path: Path
) -> None:
    DirectoryDeadLetters(".kstream/dead-letters/Other one").put(letter(consumer="Other one"))
    DirectoryDeadLetters(".kstream/dead-letters/Third/deeper").put(letter())
    known = ids()["a"]
    folder = tmp_path / ".kstream" / "dead-letters" / "notes"
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    told = (
        "letters lie in its folders Other one (1), Totals (2): "
        "kstream dead-letters list '.kstream/dead-letters/Other one'\n"
    )

    for source in (".kstream/dead-letters", "dir:.kstream/dead-letters"):
        done = run("list", source)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout.startswith("0 in dir:")
        assert done.stdout.endswith(f"; {told}")
    as_json = run("list", ".kstream/dead-letters", "--json")
    assert (as_json.exit_code, as_json.stdout, as_json.stderr) == (0, "", told)
    shown = run("show", ".kstream/dead-letters", known)
    assert (shown.exit_code, shown.stderr.endswith(f"; {told}")) == (2, True)
    assert "its folders" not in run("list", ".kstream/dead-letters/Totals", "--consumer", "Nobody").stdout


@pytest.mark.parametrize("width", [80, 100, 300])
def test_an_id_can_be_copied_from_the_table_of_a_narrow_terminal(
    width: int, sink: DirectoryDeadLetters, tmp_path: Path
) -> None:
    sink.put(letter(2, key="00ecf7a5-e6bd-42d6-9f5b-e49a124f89a9", reason="the payload is not JSON: line 1 column 1"))
    told = io.StringIO()
    output = Output()
    output.console = Console(width=width, force_terminal=True, color_system=None, file=told)
    table = ItemTable(output)
    items = list(DirectorySource(tmp_path / ".kstream" / "dead-letters" / "Totals").items())
    for item in items:
        table.add(item, "")
    table.close()

    lines = told.getvalue().splitlines()
    assert len(items) == 3
    for item in items:
        assert item.id in told.getvalue()
        assert (position_of(item) in told.getvalue()) == (width == 300), "what does not fit is left to show"
    assert max(map(len, lines)) <= width
    assert len(lines) <= 1 + 3 * 5, "as folded text, few lines are too many"


def test_nothing_in_a_letter_steers_the_terminal(sink: DirectoryDeadLetters) -> None:
    assert "timed\\x1b[31m out" in run("list").stdout
    assert "\x1b" not in run("list").stdout + run("show", ids()["fails"]).stdout


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        (["--reason", "NEGATIVE"], {"a"}),
        (["--consumer", "Totals"], {"a", "fails"}),
        (["--consumer", "Nobody"], set()),
        (["--since", "2026-01-02T03:30:00+00:00"], {"fails"}),
        (["--since", "2026-01-02T05:30:00+00:00"], set()),
    ],
)
def test_filters(filters: list[str], keys: set[str], sink: DirectoryDeadLetters) -> None:
    listed = run("list", "--json", *filters).stdout.splitlines()

    assert {json.loads(line)["partitionKey"] for line in listed} == keys


def test_what_is_no_letter_is_listed_with_its_reason(sink: DirectoryDeadLetters, tmp_path: Path) -> None:
    (tmp_path / ".kstream" / "dead-letters" / "Totals" / "odd.json").write_text("odd")
    (tmp_path / ".kstream" / "dead-letters" / "Totals" / "message.json").write_text(golden("s3_payload_text"))

    output = run("list").stdout

    assert "unreadable: not JSON" in output
    assert "RetryAttemptsExhausted\tUnhandled\t3\t2 records" in output


def test_a_letter_is_shown_whole(sink: DirectoryDeadLetters) -> None:
    shown = run("show", ids()["a"]).stdout

    assert "Reason        negative amount\n" in shown
    assert '{\n  "amount": -1\n}\n' in shown
    assert "00000000  00 ff" in run("show", ids()["fails"]).stdout


def test_a_letter_of_a_queues_message_is_shown_without_a_shard_and_with_its_message_id(
    sink: DirectoryDeadLetters,
) -> None:
    event = sqs_event([("7", "late")], queue_arn="arn:aws:sqs:us-east-1:000000000000:orders.fifo")
    [record] = batch_of(event).records
    sink.put(replace(letter(), record=record))
    [item] = [
        one for one in map(json.loads, run("list", "--json").stdout.splitlines()) if one["partitionKey"] == "late"
    ]
    position = record.position.sequence
    assert item["key"].startswith(f"Totals.none.{position}.0.")

    shown = run("show", item["id"]).stdout

    assert f"Position      {position}:0\n" in shown
    assert f"Header        AWS.MessageId: {record.sequence_number}\n" in shown


def test_raw_writes_the_payload_and_nothing_else(sink: DirectoryDeadLetters) -> None:
    assert run("show", ids()["fails"], "--raw").stdout_bytes == b"\x00\xff"


def test_json_holds_what_a_script_needs_to_rebuild_it(sink: DirectoryDeadLetters) -> None:
    shown = json.loads(run("show", ids()["fails"], "--json").stdout)

    assert (shown["kind"], shown["dataBase64"], shown["partitionKey"], shown["headers"]) == (
        "dead-letter", "AP8=", "fails", {},
    )  # fmt: skip


def test_a_message_with_its_payload_is_shown_with_its_records(sink: DirectoryDeadLetters, tmp_path: Path) -> None:
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "one.json").write_text(golden("s3_payload_object"))

    shown = run("show", "messages", "one.json").stdout

    assert "Partition key c-2" in shown
    assert '"amount": 2' in shown


def test_a_redrive_tells_each_one_and_ends_with_its_exit_code(sink: DirectoryDeadLetters) -> None:
    first = run("redrive", "--to-consumer", "totals.py")

    assert first.exit_code == 1
    assert first.stdout.splitlines()[-1] == "1 redriven, 1 failed"
    assert "RuntimeError: not today" in first.stdout
    second = run("redrive", "--to-consumer", "totals.py", "--json")
    verdict, summary = map(json.loads, second.stdout.splitlines())
    assert (verdict["verdict"], verdict["id"]) == ("failed", ids()["fails"])
    assert (summary["final"], summary["failed"], summary["redriven"]) == (True, 1, 0)


def test_with_json_what_the_consumer_prints_stands_beside_the_objects(
    sink: DirectoryDeadLetters, tmp_path: Path
) -> None:
    (tmp_path / "totals.py").write_text(
        "print('loaded')\n" + CONSUMER.replace("if record", "print('seen')\n        if record")
    )
    done = run("redrive", "--to-consumer", "totals.py", "--json")
    assert [json.loads(line).get("verdict") for line in done.stdout.splitlines()] == ["redriven", "failed", None]
    assert done.stderr.splitlines().count("seen") == 2


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["words", "json"])
def test_when_nobody_reads_what_it_prints_it_ends_behind_the_one_in_hand_and_none_fails_for_it(
    sink: DirectoryDeadLetters, tmp_path: Path, options: list[str]
) -> None:
    """As in ``kstream dead-letters redrive ... | head``."""
    sink.put(letter(1, key="b"))
    loud = "print(record.partition_key)\n        with open('effects.txt', 'a') as file:\n            file.write('x')"
    (tmp_path / "totals.py").write_text(CONSUMER.replace("        if record", f"        {loud}\n        if record"))
    command = [*KSTREAM, "dead-letters", "redrive", "--to-consumer", "totals.py", *options]
    with (tmp_path / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout
    process.stdout.close()

    assert process.wait(60) == 1

    said = [line for line in (tmp_path / "errors.txt").read_text().splitlines() if line not in ("a", "b")]
    assert [line for line in said if not line.endswith(("broken off", "1 redriven"))] == []
    assert (tmp_path / "effects.txt").read_text() == "x"
    assert len(ids()) == 1
    assert run("redrive", "--to-consumer", "totals.py").stdout.endswith("1 redriven\n")
    assert (tmp_path / "effects.txt").read_text() == "xx"


def test_the_beginning_of_an_id_shows_it(sink: DirectoryDeadLetters) -> None:
    whole = ids()["a"]
    for beginning in (whole, whole[:10], whole[:4]):
        assert "Reason        negative amount\n" in run("show", beginning).stdout
    short = run("show", whole[:3])
    assert (short.exit_code, short.stdout) == (2, "")
    assert "or at least 4 characters of its beginning" in short.stderr


def test_a_beginning_that_several_ids_have_names_them(sink: DirectoryDeadLetters, tmp_path: Path) -> None:
    """The key of what is no letter is made from its text, so two can be found whose ids begin alike."""
    seen: dict[str, tuple[str, str]] = {}
    for number in range(10_000):
        item = item_of("", f"odd {number}")
        if item.id[:4] in seen:
            break
        seen[item.id[:4]] = (item.id, item.body)
    first, body = seen[item.id[:4]]
    folder = tmp_path / ".kstream" / "dead-letters" / "Totals"
    (folder / "one.json").write_text(body)
    (folder / "two.json").write_text(item.body)

    done = run("show", item.id[:4])

    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{item.id[:4]!r} is the beginning of several ids: {first}, {item.id}; give more of it" in done.stderr
    assert body in run("show", first).stdout
    assert item.body in run("show", "two.json").stdout


def test_keys_choose_and_one_that_is_not_there_is_a_failure(sink: DirectoryDeadLetters) -> None:
    done = run("redrive", ids()["a"], "0123456789abcdef", "--to-consumer", "totals.py")

    assert done.exit_code == 1
    assert done.stdout.splitlines()[-2:] == ["there is no 0123456789abcdef", "1 redriven"]
    assert list(ids()) == ["fails"]


def test_everything_redriven_is_exit_code_0(sink: DirectoryDeadLetters) -> None:
    assert run("redrive", ids()["a"], "--to-consumer", "totals.py").exit_code == 0
    nothing = run("redrive", "--reason", "no such", "--to-consumer", "totals.py")
    assert (nothing.exit_code, nothing.stdout) == (0, "nothing to redrive\n")


def test_a_letter_of_another_consumer_is_named(sink: DirectoryDeadLetters) -> None:
    done = run("redrive", "--to-consumer", "totals.py", "--name", "Other", "--dry-run")

    assert done.exit_code == 1
    assert "it is of the consumer 'Totals', not 'Other'" in done.stdout
    taken = run("redrive", "--to-consumer", "totals.py", "--name", "Other", "--any-consumer", "--dry-run")
    assert (taken.exit_code, taken.stdout.splitlines()[-1]) == (0, "2 would be redriven")


def test_a_dry_run_opens_no_handler(sink: DirectoryDeadLetters, tmp_path: Path) -> None:
    opening = "    def open(self):\n        raise RuntimeError('opened')\n\n    def process"
    (tmp_path / "totals.py").write_text(CONSUMER.replace("    def process", opening))

    assert run("redrive", "--to-consumer", "totals.py", "--dry-run").exit_code == 0
    assert "opened" in run("redrive", "--to-consumer", "totals.py").stderr


def test_two_redrives_at_once_are_refused(sink: DirectoryDeadLetters, tmp_path: Path) -> None:
    from kstream.local.locks import held

    with held(tmp_path / ".kstream" / "redrive.lock", "busy"):
        done = run("redrive", "--to-consumer", "totals.py")

    assert (done.exit_code, "a redrive runs in .kstream already" in done.stderr) == (2, True)


def test_before_the_first_letter_there_are_none_and_that_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    for arguments in ([], ["--json"]):
        done = run("list", *arguments)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout.startswith("" if arguments else "none: no consumer has left any in .kstream/dead-letters")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "a"], "no source is named, and there is no .kstream/dead-letters: give dir:PATH, sqs:URL"),
        (["redrive", "--to-stream", "s"], "no source is named, and there is no .kstream/dead-letters"),
        (["list", "nowhere"], "there is no directory 'nowhere'"),
        (["list", "dir:"], "'dir:' names no source of dead letters"),
        (["list", "jsonl:nowhere"], "there is no file nowhere"),
        (["list", "sqs:queue"], "give the queue's URL"),
        (["list", ".", "--since", "latest"], "--since latest: give a time"),
        (["list", ".", "--since", "yesterday"], "--since yesterday: give a time such as 2026-01-31T12:00, or 10m"),
        (["show", "."], "give one KEY"),
        (["show", ".", "a", "--raw", "--json"], "--raw writes bytes and --json an object"),
        (["show", ".", "a"], "there is no 'a' in dir:"),
        (["redrive", "."], "say where to: either --to-consumer PATH or --to-stream STREAM"),
        (["redrive", ".", "--to-consumer", "a.py", "--to-stream", "s"], "say where to"),
        (["redrive", ".", "--to-stream", "s", "--name", "n"], "--name and --any-consumer go with --to-consumer"),
        (["redrive", ".", "--to-consumer", "nowhere.py"], "there is no file nowhere.py"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = run(*arguments)

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b'{"a":[1]}', ["{", '  "a": [', "    1", "  ]", "}"]),
        ("é\nb\tc".encode(), ["é", "b\tc"]),
        (b"", []),
        (b"a\x1bb", ["00000000  61 1b 62" + " " * 39 + "  a.b"]),
        (bytes(range(250, 256)), ["00000000  fa fb fc fd fe ff" + " " * 30 + "  ......"]),
        ('{"a": "\u202e"}'.encode(), ["{", '  "a": "\\u202e"', "}"]),
    ],
)
def test_payloads_for_people(data: bytes, lines: list[str]) -> None:
    assert list(payload_lines(data)) == lines


def test_lone_surrogates_can_be_printed() -> None:
    text: Any = "a\ud800"
    assert printable(text) == "a\\ud800"
