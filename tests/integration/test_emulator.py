"""The embedded Kinesis as a process: it answers, keeps its state, tells what is wrong, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from kstream.core.errors import ConfigurationError, EmulatorError
from kstream.local.emulator import EMULATOR_VERSION, Emulator, install
from tests.support.ports import unused_port
from tests.support.processes import exists, listeners, within_a_minute

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def client(emulator: Emulator) -> KinesisClient:
    kinesis: KinesisClient = boto3.client("kinesis", endpoint_url=emulator.endpoint_url)
    return kinesis


def records_of(kinesis: KinesisClient, stream: str) -> list[tuple[str, bytes, str]]:
    """All records of a stream: sequence number, data, partition key."""
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        answer = kinesis.get_records(ShardIterator=iterator)
        found += [(r["SequenceNumber"], r["Data"], r["PartitionKey"]) for r in answer["Records"]]
    return found


def test_records_put_into_it_are_read_from_it(emulator: Emulator, stream: str) -> None:
    """It is a Kinesis: what is put comes back byte for byte."""
    kinesis = client(emulator)
    put = kinesis.put_record(StreamName=stream, Data=b"\x00\xff", PartitionKey="\N{SNOWMAN}")

    assert records_of(kinesis, stream) == [(put["SequenceNumber"], b"\x00\xff", "\N{SNOWMAN}")]


def test_a_record_never_expires(tmp_path: Path) -> None:
    """Its iterators count from a shard's first record, so a reader would skip one for each that expires."""
    with Emulator(state_dir=tmp_path) as emulator:
        kinesis = client(emulator)
        kinesis.create_stream(StreamName="orders", ShardCount=1)
        put = kinesis.put_record(StreamName="orders", Data=b"old", PartitionKey="a")["SequenceNumber"]
    state = tmp_path / "kinesis.json"
    document = re.sub(r'("ApproximateArrivalTimestamp": )[0-9.]+', r"\g<1>1000000000.0", state.read_text())
    state.write_text(document)

    with Emulator(state_dir=tmp_path) as emulator:
        assert records_of(client(emulator), "orders") == [(put, b"old", "a")]


def test_it_listens_on_loopback_and_on_one_port_only(emulator: Emulator) -> None:
    assert emulator.pid is not None
    port = int(emulator.endpoint_url.rpartition(":")[2])

    assert listeners(emulator.pid) == {("127.0.0.1", port)}


def test_it_does_not_see_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that would make it listen elsewhere or answer differently does not reach it."""
    monkeypatch.setenv("EDGE_PORT", "1")
    monkeypatch.setenv("USE_SSL", "1")
    monkeypatch.setenv("KSTREAM_SECRET", "hunter2")

    with Emulator() as emulator:
        assert b"hunter2" not in Path(f"/proc/{emulator.pid}/environ").read_bytes()


def test_its_names_carry_the_account_and_region_asked_for(stream_name: str) -> None:
    with Emulator(region="eu-central-1", account_id="123456789012") as emulator:
        kinesis = boto3.client("kinesis", endpoint_url=emulator.endpoint_url, region_name=emulator.region)
        kinesis.create_stream(StreamName=stream_name, ShardCount=1)
        summary = kinesis.describe_stream_summary(StreamName=stream_name)["StreamDescriptionSummary"]

    assert summary["StreamARN"] == f"arn:aws:kinesis:eu-central-1:123456789012:stream/{stream_name}"


def test_streams_records_and_sequence_numbers_survive_a_stop(tmp_path: Path) -> None:
    """Started again over the same directory it has the same records, and new ones sort behind them."""
    with Emulator(state_dir=tmp_path) as emulator:
        kinesis = client(emulator)
        kinesis.create_stream(StreamName="orders", ShardCount=2)
        kinesis.put_records(
            StreamName="orders", Records=[{"Data": bytes([n]) * 100, "PartitionKey": str(n)} for n in range(250)]
        )
        before = records_of(kinesis, "orders")
        boto3.client("s3", endpoint_url=emulator.endpoint_url).create_bucket(Bucket="parked")
    assert len(before) == 250

    with Emulator(state_dir=tmp_path) as emulator:
        kinesis = client(emulator)
        assert records_of(kinesis, "orders") == before
        later = kinesis.put_record(StreamName="orders", Data=b"later", PartitionKey="a")["SequenceNumber"]
        assert int(later) > max(int(sequence_number) for sequence_number, _, _ in before)
        buckets = boto3.client("s3", endpoint_url=emulator.endpoint_url).list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in buckets] == ["parked"]


def test_without_a_state_directory_nothing_is_kept(stream_name: str) -> None:
    with Emulator() as emulator:
        client(emulator).create_stream(StreamName=stream_name, ShardCount=1)

    with Emulator() as emulator:
        assert client(emulator).list_streams()["StreamNames"] == []


def test_state_that_cannot_be_read_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    """It would carry on with nothing and overwrite the rest at the end."""
    state = tmp_path / "kinesis.json"
    state.write_text("{ cut of")

    with pytest.raises(EmulatorError, match="cannot read its state"):
        Emulator(state_dir=tmp_path).start()

    assert state.read_text() == "{ cut of"


def test_state_that_was_not_saved_is_an_error(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    emulator = Emulator(state_dir=state_dir).start()
    client(emulator).create_stream(StreamName="orders", ShardCount=1)
    (state_dir / "kinesis.json.tmp").mkdir()  # where it would write

    with pytest.raises(EmulatorError, match="did not save its state"):
        emulator.stop()


def test_an_emulator_that_was_killed_says_that_its_records_are_lost(tmp_path: Path) -> None:
    emulator = Emulator(state_dir=tmp_path).start()
    assert emulator.pid is not None
    os.kill(emulator.pid, signal.SIGKILL)
    assert within_a_minute(lambda: not emulator.alive)

    with pytest.raises(EmulatorError, match="ended by itself"):
        emulator.stop()
    assert not emulator.alive


def test_a_state_directory_belongs_to_one_emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two would overwrite each other's records."""
    monkeypatch.setattr("kstream.local.emulator._LOCK_WITHIN_S", 0.1)
    with (
        Emulator(state_dir=tmp_path),
        pytest.raises(ConfigurationError, match="Another emulator uses the state directory"),
    ):
        Emulator(state_dir=tmp_path).start()


def test_a_state_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot keep its state"):
        Emulator(state_dir=tmp_path / "file").start()


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(ConfigurationError, match=rf"(?s)Port {port} .*another port"):
            Emulator(port=port).start()


def test_a_port_taken_between_looking_and_listening_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process gets there first: the next free port is tried, and never the other's server taken for ours."""
    with Emulator() as other:
        taken = int(other.endpoint_url.rpartition(":")[2])
        free = unused_port()
        ports = iter([taken, free])
        monkeypatch.setattr("kstream.local.emulator._usable_port", lambda wanted: next(ports))

        with Emulator() as emulator:
            assert emulator.endpoint_url == f"http://127.0.0.1:{free}"


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ConfigurationError, match="is not a TCP port"):
        Emulator(port=port)


def change_environment(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    original = Emulator._environment
    monkeypatch.setattr(Emulator, "_environment", lambda self, identity: original(self, identity) | changes)


def test_one_that_could_not_save_at_the_end_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its server carries on when the part of it that loads and saves has failed."""
    change_environment(monkeypatch, MINISTACK_WORKER_THREADS="many")

    with pytest.raises(EmulatorError, match="without Lifespan support"):
        Emulator(state_dir=tmp_path).start()


def test_one_that_ends_while_starting_shows_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    change_environment(monkeypatch, GATEWAY_PORT="many")

    emulator = Emulator()
    with pytest.raises(EmulatorError, match=r"(?s)ended with code .* while starting.*invalid literal for int"):
        emulator.start()
    assert emulator.pid is None


def test_stopping_leaves_no_process_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Emulator() as emulator:
        pid = emulator.pid
        assert pid is not None
        assert exists(pid)
    emulator.stop()  # a second time does nothing

    assert not exists(pid)
    assert not emulator.alive
    assert list(tmp_path.iterdir()) == []


def test_using_it_before_the_start_or_starting_it_twice_is_an_error() -> None:
    emulator = Emulator()
    with pytest.raises(EmulatorError, match="call start"):
        _ = emulator.endpoint_url
    with emulator, pytest.raises(EmulatorError, match="already been started"):
        emulator.start()


STARTER = """
import os, sys, time
from pathlib import Path
from kstream.local.emulator import Emulator

emulator = Emulator(state_dir=Path(sys.argv[1])).start()
if sys.argv[2] == "forks" and os.fork() == 0:
    time.sleep(300)
print(emulator.pid, emulator.endpoint_url, flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("starter_does", ["nothing", "forks"])
def test_it_saves_and_ends_when_its_starter_is_killed(tmp_path: Path, starter_does: str) -> None:
    """By SIGKILL, even while a forked child of the starter lives on with all its files open."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "state"), starter_does],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    try:
        assert starter.stdout is not None
        pid, url = starter.stdout.readline().split()
        boto3.client("kinesis", endpoint_url=url).create_stream(StreamName="orders", ShardCount=1)
        starter.kill()
        starter.wait()
        starter.stdout.close()

        assert within_a_minute(lambda: not exists(int(pid)))
    finally:
        os.killpg(starter.pid, signal.SIGKILL) if starter_does == "forks" else starter.kill()
    assert list(temporary.iterdir()) == []
    with Emulator(state_dir=tmp_path / "state") as emulator:
        assert client(emulator).list_streams()["StreamNames"] == ["orders"]


def test_an_install_that_is_there_is_used_without_a_word() -> None:
    said: list[str] = []

    environment = install(said.append)

    assert said == []
    assert install(said.append) == environment
    assert EMULATOR_VERSION in environment.name


def test_an_interrupted_install_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broken install leaves has another name; the next install removes it, and says what failed."""
    lock = tmp_path / "other.lock"
    lock.write_text("ministack==0 --hash=sha256:00\n")
    monkeypatch.setattr("kstream.local.emulator_environment.LOCK_FILE", lock)
    monkeypatch.setattr("kstream.local.emulator_environment._home", lambda: tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # nobody has to answer, or to be waited for
    said: list[str] = []

    for _ in range(2):
        with pytest.raises(EmulatorError, match=r"(?s)pip could not install.*\n  "):
            install(said.append)

    assert len(said) == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_dir() and path.suffix != ".partial"] == []
