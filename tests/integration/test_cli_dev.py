"""`kstream dev` as its user meets it: real processes, real HTTP, a real Kinesis API, files edited under it."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import signal
import socket
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from kstream import IngestClient
from kstream.ingest import SigV4
from kstream.ingest.errors import NotAuthorized
from tests.support.commands import KSTREAM, Running, kstream
from tests.support.ports import unused_port
from tests.support.processes import exists, within_a_minute

if TYPE_CHECKING:
    from pathlib import Path

# Each effect is a line, written at once: the version of the code, the record's id, its payload.
CONSUMER = '''"""Notes each record.

    {"order": 1}
"""
import os
import time
from kstream import Consumer, Handler, Reject

VERSION = "one"

class Notes(Handler):
    def process(self, record):
        order = record.json()
        if order["order"] == "poison":
            raise Reject("it can never succeed")
        with open("begun.txt", "a") as begun:
            begun.write(f"{order['order']}\\n")
        while order.get("endless") and not os.path.exists("go.txt"):
            time.sleep(0.01)
        with open("effects.txt", "a") as effects:
            effects.write(f"{VERSION} {record.id} {order['order']}\\n")

consumer = Consumer(Notes)
'''


class Project:
    """A user's project: a folder with one consumer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "consumers" / "notes.py"
        self.file.parent.mkdir()
        self.file.write_text(CONSUMER)

    @property
    def state(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.path / ".kstream" / "dev.json").read_text())
        return told

    def effects(self) -> list[list[str]]:
        file = self.path / "effects.txt"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def orders(self) -> list[str]:
        return [order for _, _, order in self.effects()]

    def put(self, *orders: object, **more: object) -> None:
        with IngestClient(self.state["ingest_url"], stream="notes") as api:
            api.put_many([({"order": order, **more}, "key") for order in orders]).raise_for_failures()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def dev(project: Project, *arguments: str) -> Running:
    return Running("dev", *arguments, "--port", "0", "consumers/notes.py", "--", "--hurry", cwd=project.path)


def consumer_pid(project: Project) -> int:
    return int((project.path / ".kstream" / "consumers" / "Notes.lock").read_text())


def test_records_come_through_and_a_second_start_goes_on_where_the_first_ended(project: Project) -> None:
    """Put by the printed curl line and by IngestClient; nothing lost, nothing processed twice, no process left."""
    with dev(project) as running:
        running.wait_for("Notes reads stream notes")
        answer = put_as_printed(running.said)
        assert answer["shardId"] == "shardId-000000000000"
        project.put(2, "poison", 3)
        assert within_a_minute(lambda: project.orders() == ["1", "2", "3"])
        pids = [project.state["emulator_pid"], consumer_pid(project)]
        assert running.interrupt() == 0
        assert "received 4  processed 3" in running.said
        assert not any(exists(pid) for pid in pids)
    assert not (project.path / ".kstream" / "dev.json").exists()
    letters = list((project.path / ".kstream" / "dead-letters" / "Notes").iterdir())
    assert [json.loads(letter.read_text())["reason"] for letter in letters] == ["it can never succeed"]

    with dev(project) as running:
        running.wait_for("Notes reads stream notes")
        project.put(4)
        assert within_a_minute(lambda: "4" in project.orders())
        assert running.end(signal.SIGTERM) == 0
        assert "received 1  processed 1" in running.said
    assert project.orders() == ["1", "2", "3", "4"]
    assert len({record for _, record, _ in project.effects()}) == 4


def test_the_consumers_numbers_are_served_over_its_changes(project: Project) -> None:
    def scraped(port: int) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""  # between two versions of the consumer

    port = unused_port()
    with dev(project, "--metrics-port", str(port)) as running:
        running.wait_for(f"Metrics at http://127.0.0.1:{port}/metrics")
        project.put(1, "poison")
        labels = '{consumer="Notes",service="local",stream="notes"}'
        assert within_a_minute(lambda: f"kstream_records_dead_lettered_total{labels} 1.0" in scraped(port))
        project.file.write_text(CONSUMER.replace('"one"', '"two"'))
        running.wait_for(f"Metrics at http://127.0.0.1:{port}/metrics", times=2)
        project.put(2)
        assert within_a_minute(lambda: f"kstream_records_succeeded_total{labels} 1.0" in scraped(port))
        assert running.interrupt() == 0
    assert project.orders() == ["1", "2"]


def test_a_change_starts_the_new_code_and_a_broken_one_waits_for_the_next(project: Project) -> None:
    with dev(project) as running:
        running.wait_for("Notes reads")
        project.put(1)
        assert within_a_minute(lambda: project.orders() == ["1"])

        project.file.write_text(CONSUMER.replace('"one"', '"two"'))
        running.wait_for("Changed: consumers/notes.py; the consumer starts anew")
        running.wait_for("Notes reads", times=2)
        project.put(2)
        assert within_a_minute(lambda: project.orders() == ["1", "2"])

        project.file.write_text(CONSUMER + "\nraise RuntimeError('half an idea')\n")
        running.wait_for("error: consumers/notes.py does not import: RuntimeError: half an idea")
        running.wait_for("The consumer ended with exit code 2. All else keeps running")
        assert "Traceback" not in running.said
        project.put(3)

        project.file.write_text(CONSUMER.replace('"one"', '"three"'))
        assert within_a_minute(lambda: project.orders() == ["1", "2", "3"])
        assert running.interrupt() == 0
    assert [version for version, _, _ in project.effects()] == ["one", "two", "three"]


def test_ctrl_c_finishes_the_record_in_hand_and_keeps_the_others(project: Project) -> None:
    with dev(project) as running:
        running.wait_for("Notes reads")
        project.put(1, endless=True)
        assert within_a_minute(lambda: (project.path / "begun.txt").exists())
        project.put(2)
        running.process.send_signal(signal.SIGINT)
        running.wait_for("Waiting for the consumer to finish the batch in hand")
        (project.path / "go.txt").touch()
        assert running.ended() == 0
    assert project.orders() == ["1"]

    with dev(project) as running:
        assert within_a_minute(lambda: len(project.orders()) == 2)
        assert running.interrupt() == 0
    assert project.orders() == ["1", "2"]


def test_a_second_ctrl_c_ends_the_record_in_hand_which_comes_again(project: Project) -> None:
    with dev(project) as running:
        running.wait_for("Notes reads")
        project.put(1, endless=True)
        assert within_a_minute(lambda: (project.path / "begun.txt").exists())
        pid = consumer_pid(project)
        running.process.send_signal(signal.SIGINT)
        running.wait_for("Waiting for the consumer to finish the batch in hand")
        assert running.interrupt() == 0
        assert not exists(pid)
    assert project.orders() == []
    (project.path / "go.txt").touch()

    with dev(project) as running:
        assert within_a_minute(lambda: project.orders() == ["1"])
        assert running.interrupt() == 0


def test_killed_it_leaves_no_process_and_does_not_block_the_next(project: Project) -> None:
    with dev(project) as running:
        running.wait_for("Notes reads")
        pids = [project.state["emulator_pid"], consumer_pid(project)]
        running.process.kill()
        running.process.wait()
        assert within_a_minute(lambda: not any(exists(pid) for pid in pids))
    assert kstream("tail", "--limit", "1", cwd=project.path).returncode == 2

    with dev(project) as running:
        running.wait_for("Notes reads")
        assert running.interrupt() == 0


def test_a_second_one_and_a_taken_port_are_refused_in_one_line(project: Project) -> None:
    with dev(project) as running:
        running.wait_for("Notes reads")
        second = kstream("dev", cwd=project.path)
        assert second.returncode == 2
        assert second.stderr == (
            f"error: a kstream dev runs in .kstream already (process {running.process.pid}): "
            "stop it, or give another --state-dir\n"
        )
        port = project.state["ingest_url"].rpartition(":")[2]
        third = kstream("dev", "--port", port, "--state-dir", "other", cwd=project.path)
        assert third.returncode == 2
        assert third.stderr.startswith(f"error: port {port} of 127.0.0.1 is in use; ")
        assert running.interrupt() == 0


def test_the_default_port_is_left_to_whoever_has_it(project: Project) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8080))
            taken.listen()
        except OSError:
            pass  # somebody has it already, which is as good
        with Running("dev", cwd=project.path) as running:
            running.wait_for("Notes reads")
            assert "Port 8080 is taken: the ingest API takes " in running.said
            assert put_as_printed(running.said)["sequenceNumber"]
            assert running.interrupt() == 0


def test_other_commands_find_the_pipeline_that_runs_here(project: Project) -> None:
    """In envelopes, which change nothing but that headers are shown."""
    with dev(project, "--stream", "notes", "--stream", "second", "--envelope") as running:
        running.wait_for("Notes reads")
        lines = b'{"order": 1, "who": "a"}\nno json\n\n{"order": 2, "who": "b"}\n{"order": 3}\n'

        done = kstream("produce", "--key", "who", "--header", "traceparent: 00-1", cwd=project.path, stdin=lines)

        assert done.returncode == 1
        assert "line 2: not JSON" in done.stdout
        assert "line 5: there is no field 'who'" in done.stdout
        assert done.stdout.endswith("2 put, 2 failed, 0 retried, 1 empty lines passed over\n")
        done = kstream("produce", "--stream", "second", "--json", cwd=project.path, stdin=b"x\n")
        assert json.loads(done.stdout) == {"put": 1, "failed": 0, "retried": 0, "emptyLines": 0}
        done = kstream("tail", "--from", "trim", "--no-follow", "--json", cwd=project.path)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        assert [(record["partitionKey"], json.loads(record["data"])["order"]) for record in records] == [
            ("a", 1),
            ("b", 2),
        ]
        assert [record["headers"] for record in records] == [{"traceparent": "00-1"}] * 2
        assert within_a_minute(lambda: project.orders() == ["1", "2"])
        assert running.interrupt() == 0


def test_a_locked_door_opens_to_the_test_key_and_to_no_other(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the shell has real credentials: ``produce`` and the curl line that is shown sign with the test key."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real-token")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with dev(project, "--lock", "iam") as running:
        running.wait_for("Notes reads")
        with pytest.raises(NotAuthorized):
            project.put(1)
        with (
            IngestClient(project.state["ingest_url"], stream="notes", auth=SigV4()) as api,
            pytest.raises(NotAuthorized),
        ):
            api.put("x")
        done = kstream("produce", cwd=project.path, stdin=b'{"order": 2}\n')
        assert done.returncode == 0, done.stdout
        assert "--user test:test --aws-sigv4 aws:amz:us-east-1:execute-api" in running.said
        auth = SigV4.with_keys("test", "test", region="us-east-1")
        with IngestClient(project.state["ingest_url"], stream="notes", auth=auth) as api:
            api.put_many([{"order": 3}]).raise_for_failures()
        assert within_a_minute(lambda: project.orders() == ["2", "3"])
        assert running.interrupt() == 0


def test_on_a_terminal_there_is_a_live_view_and_ctrl_c_is_a_key(project: Project) -> None:
    screen = Screen([*KSTREAM, "dev", "--port", "0", "--", "--hurry"], project.path)
    try:
        screen.wait_for("iterator age")
        pids = [screen.pid, project.state["emulator_pid"], consumer_pid(project)]
        project.put(1, "poison")
        screen.wait_for("went to the dead letters")
        assert within_a_minute(lambda: project.orders() == ["1"])
        screen.press("\x03")
        assert screen.exit_code() == 0
        assert "\x1b[" in screen.said
        assert screen.said.rstrip().endswith("goes on from here.")
        assert not any(exists(pid) for pid in pids)
    finally:
        screen.close()


def put_as_printed(said: str) -> dict[str, Any]:
    """Does what the printed curl line does, word by word."""
    words = shlex.split(next(line for line in said.splitlines() if "curl" in line).partition("curl ")[2])
    assert words[0] == "-H"
    assert words[2] == "-d"
    name, _, value = words[1].partition(": ")
    request = urllib.request.Request(words[4], words[3].encode(), {name: value}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


class Screen:
    """A process on a pseudo-terminal of its own: what it shows, and keys to press."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self._master, slave = pty.openpty()
        # setsid --ctty makes it the session's terminal, so that Ctrl-C is a signal, as for a person.
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "130", "LINES": "40"},
        )
        os.close(slave)
        self.pid = self._process.pid
        self.said = ""

    def wait_for(self, text: str) -> None:
        assert within_a_minute(lambda: text in self._read())

    def press(self, key: str) -> None:
        os.write(self._master, key.encode())

    def exit_code(self) -> int:
        assert within_a_minute(lambda: bool(self._read()) and self._process.poll() is not None)
        self._read()
        return self._process.returncode

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def _read(self) -> str:
        while select.select([self._master], [], [], 0)[0]:
            try:
                self.said += os.read(self._master, 65_536).decode(errors="replace")
            except OSError:  # the last process on the other side has gone
                break
        return self.said
