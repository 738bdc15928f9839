"""`kstream consume` over a real Kinesis API: what it leaves behind, how it ends, and what it says when it cannot."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import KSTREAM, Running, kstream
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient

    from kstream.local.emulator import Emulator

CONSUMER = """
import time
from pathlib import Path
from kstream import Consumer, Handler, Reject, Retry

class Notes(Handler):
    def process(self, record):
        word = record.text()
        if word == "poison":
            raise Reject("never")
        if word == "fails":
            raise RuntimeError("not today")
        with open("begun.txt", "a") as begun:
            begun.write(word + "\\n")
        if word == "slow":
            time.sleep(1.5)
        if word == "endless":
            time.sleep(300)
        with open("effects.txt", "a") as effects:
            effects.write(word + "\\n")

consumer = Consumer(Notes, retry=Retry(attempts=1))
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Path:
    file = tmp_path / "notes.py"
    file.write_text(CONSUMER)
    return file


@pytest.fixture
def arguments(emulator: Emulator, stream: str) -> list[str]:
    return ["consume", "notes.py", "--stream", stream, "--endpoint-url", emulator.endpoint_url, "--hurry"]


def put(kinesis: KinesisClient, stream: str, *words: str) -> None:
    for word in words:
        kinesis.put_record(StreamName=stream, Data=word.encode(), PartitionKey="one")


def effects(directory: Path) -> list[str]:
    file = directory / "effects.txt"
    return file.read_text().splitlines() if file.exists() else []


def test_once_through_it_works_off_the_stream_and_goes_on_there_next_time(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path
) -> None:
    put(kinesis, stream, "a", "poison", "b")

    first = kstream(*arguments, "--once-through", "--json", cwd=tmp_path)
    put(kinesis, stream, "c")
    second = kstream(*arguments, "--until-idle", "0.3", cwd=tmp_path)

    assert (first.returncode, second.returncode) == (0, 0)
    counts = json.loads(first.stdout.splitlines()[-1])
    assert (counts["received"], counts["processed"], counts["deadLettered"], counts["final"]) == (3, 2, 1, True)
    assert "ledger in .kstream/ledger.sqlite; dead letters in .kstream/dead-letters/Notes" in first.stderr
    assert "received 1  processed 1" in second.stdout
    assert effects(tmp_path) == ["a", "b", "c"]
    (letter,) = (tmp_path / ".kstream" / "dead-letters" / "Notes").iterdir()
    assert json.loads(letter.read_text())["reason"] == "never"


def test_what_the_mapping_gives_up_is_kept_in_the_on_failure_file(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path
) -> None:
    put(kinesis, stream, "a", "fails", "b")

    done = kstream(*arguments, "--once-through", "--max-retries", "0", "--bisect", "--json", cwd=tmp_path)

    assert done.returncode == 0
    assert "discards told in .kstream/on-failure/Notes.jsonl" in done.stderr
    (message,) = (tmp_path / ".kstream" / "on-failure" / "Notes.jsonl").read_text().splitlines()
    assert json.loads(message)["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert json.loads(done.stdout.splitlines()[-1])["discarded"] >= 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_it_finish_what_it_has_begun(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path, number: signal.Signals
) -> None:
    put(kinesis, stream, "slow")
    with Running(*arguments, cwd=tmp_path) as running:
        assert within_a_minute(lambda: (tmp_path / "begun.txt").exists())
        assert running.end(number) == 0
    assert effects(tmp_path) == ["slow"]

    assert kstream(*arguments, "--once-through", cwd=tmp_path).returncode == 0
    assert effects(tmp_path) == ["slow"]


def test_a_second_signal_ends_it_at_once(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path
) -> None:
    put(kinesis, stream, "endless")
    with Running(*arguments, cwd=tmp_path) as running:
        assert within_a_minute(lambda: (tmp_path / "begun.txt").exists())
        running.process.send_signal(signal.SIGINT)
        # Another one, because two of a kind sent at once may arrive as one.
        assert running.end(signal.SIGTERM) == 130
    assert effects(tmp_path) == []


def test_what_the_handler_prints_comes_out_as_it_is_printed(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path, file: Path
) -> None:
    file.write_text(CONSUMER.replace("word = record.text()", "word = record.text(); print('seen', word)"))
    put(kinesis, stream, "a")
    with Running(*arguments, cwd=tmp_path) as running:
        running.wait_for("seen a")
        assert running.interrupt() == 0


def test_with_json_what_the_handler_prints_stands_beside_the_objects(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path, file: Path
) -> None:
    file.write_text("print('loaded')\n" + CONSUMER.replace("word = record.text()", "word = record.text(); print(word)"))
    put(kinesis, stream, "alpha", "beta")

    done = kstream(*arguments, "--once-through", "--json", cwd=tmp_path)

    assert done.returncode == 0
    assert [json.loads(line)["received"] for line in done.stdout.splitlines()][-1] == 2
    printed = ["loaded", "alpha", "beta"]
    assert [line for line in done.stderr.splitlines() if line in printed] == printed


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["words", "json"])
def test_when_nobody_reads_what_it_prints_it_ends_in_good_order_and_no_record_fails_for_it(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path, file: Path, options: list[str]
) -> None:
    """As in ``kstream consume ... | head``: the pipe is no fault of the records, which would all be set aside for it."""
    loud = CONSUMER.replace("word = record.text()", "word = record.text(); print(word * 5000)")
    file.write_text(loud.replace("Retry(attempts=1)", 'Retry(attempts=1, exhausted="dead_letter")'))
    words = ["a", "b", "c", "d"]

    with (tmp_path / "errors.txt").open("wb") as errors:
        command = [*KSTREAM, *arguments, *options]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout
        try:
            if not options:
                assert b"Notes reads" in process.stdout.readline()
                assert b"It names none" in process.stdout.readline()
            process.stdout.close()
            put(kinesis, stream, *words)
            code = process.wait(60)
        finally:
            process.kill()
            process.wait()

    said = (tmp_path / "errors.txt").read_text()
    assert code == 1
    assert "Traceback" not in said, said
    assert "BrokenPipeError" not in said, said
    file.write_text(CONSUMER)
    assert kstream(*arguments, "--once-through", cwd=tmp_path).returncode == 0
    assert effects(tmp_path) == words


def test_a_second_one_of_the_same_name_is_refused(arguments: list[str], tmp_path: Path) -> None:
    with Running(*arguments, cwd=tmp_path) as running:
        running.wait_for("Notes reads")
        second = kstream(*arguments, cwd=tmp_path)
        other = kstream(*arguments, "--name", "Other", "--once-through", cwd=tmp_path)

        assert second.returncode == 2
        assert f"the consumer Notes runs in .kstream already (process {running.process.pid})" in second.stderr
        assert other.returncode == 0
        assert running.interrupt() == 0


def test_a_stream_that_is_not_there_is_one_line(emulator: Emulator, tmp_path: Path) -> None:
    done = kstream("consume", "notes.py", "--stream", "no-such", "--endpoint-url", emulator.endpoint_url, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: there is no stream 'no-such' at {emulator.endpoint_url}")
    assert done.stderr.count("\n") == 1


def test_an_address_where_nothing_listens_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = kstream("consume", "notes.py", "--stream", "s", "--endpoint-url", "http://127.0.0.1:1", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot describe stream 's' at http://127.0.0.1:1")
    assert "Traceback" not in done.stderr


def test_a_handler_that_cannot_be_built_is_told_before_anything_is_read(
    kinesis: KinesisClient, stream: str, arguments: list[str], tmp_path: Path, file: Path
) -> None:
    file.write_text(CONSUMER.replace("    def process", "    def __init__(self, table): ...\n\n    def process"))
    put(kinesis, stream, "a")
    done = kstream(*arguments, "--once-through", cwd=tmp_path)
    assert done.returncode == 2
    assert "Notes cannot be built" in done.stderr
    assert "Traceback" not in done.stderr
