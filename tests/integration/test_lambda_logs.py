"""Log lines in a Lambda environment: a process of its own, with AWS's runtime client and with a plain loop."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tenacity

from tests.support.localstack.environment import install
from tests.support.localstack.plugin.localstack_kstream.sandbox import Function, Sandbox
from tests.support.processing import SHARD_ID, entry, event
from tests.unit.telemetry.test_plain_values import strictly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.localstack.plugin.localstack_kstream.sandbox import Outcome

ROOT = Path(__file__).parents[2]
SURROUNDINGS = {
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
}
HEADERS = {"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:orders"}
SECRET = "the-secret-payload"
LIBRARIES = Path(str(tenacity.__file__)).parents[1]

TELLING = """
import logging, os, time
from kstream import Consumer, Handler, Reject, Retry, on_lambda

class Orders(Handler):
    def process(self, record):
        logging.getLogger("library").warning("got %s", record.sequence_number)
        logging.getLogger("library").info("and more")
        if record.partition_key == "bad":
            raise OSError("down")
        while record.partition_key == "stuck":
            time.sleep(1)

logging.getLogger("library").warning("init")
handler = on_lambda(Consumer(Orders, retry=Retry(attempts=1), deadline_margin=2))
on_lambda(Consumer(Orders, name="another"))
"""


@pytest.fixture(scope="session")
def with_awslambdaric() -> Path:
    return install(lambda _: None).lambda_python


@pytest.fixture(params=["awslambdaric", "loop"])
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def invoked(runtime: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Outcome]]:
    """Invokes a function whose module is this source; its process ends with the test."""
    sandboxes: list[Sandbox] = []

    def invoked(given: dict[str, Any], timeout_s: int = 30, **environment: str) -> Outcome:
        (tmp_path / "app.py").write_text(TELLING)
        python = request.getfixturevalue("with_awslambdaric") if runtime == "awslambdaric" else Path(sys.executable)
        # As deploy packs it: kstream itself, and the one library that it always needs.
        surroundings = SURROUNDINGS | {"KSTREAM_METRICS": "off"} | environment
        function = Function(
            python, "app.handler", tmp_path, timeout_s, 128, environment=surroundings, import_path=(ROOT, LIBRARIES)
        )
        sandboxes.append(Sandbox(function))
        return sandboxes[-1].invoke("request-1", json.dumps(given).encode(), HEADERS)

    yield invoked
    for sandbox in sandboxes:
        sandbox.stop()


def json_lines(outcome: Outcome) -> list[dict[str, Any]]:
    return [strictly(line) for line in outcome.log.splitlines() if line.startswith("{")]


def test_every_line_is_json_and_tells_whose_it_is(invoked: Callable[..., Outcome]) -> None:
    outcome = invoked(event(entry(1, SECRET.encode(), key="good"), entry(2, SECRET.encode(), key="bad")))
    assert not outcome.failed, outcome.log
    assert json.loads(outcome.body) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    lines = json_lines(outcome)
    assert [line["message"] for line in lines[-4:-2]] == ["got 1", "got 2"]
    assert "and more" not in outcome.log, "the level is as it was"
    failed, unfinished = lines[-2:]
    for line in lines[-4:]:
        assert (line["service"], line["consumer"], line["shard"]) == ("orders", "Orders", SHARD_ID)
        assert line["request_id"] == "request-1"
    assert [line["sequence_number"] for line in lines[-4:]] == ["1", "2", "2", "2"]
    assert (failed["outcome"], failed["error_type"], failed["error_message"]) == ("failed", "OSError", "down")
    assert failed["traceback"].endswith("OSError: down")
    assert (unfinished["outcome"], unfinished["batch"]["failed"]) == ("unfinished", 1)
    assert SECRET not in outcome.log


def test_the_level_of_the_environment_is_respected(invoked: Callable[..., Outcome], runtime: str) -> None:
    if runtime == "awslambdaric":  # it alone reads the variable
        outcome = invoked(event(entry(1)), AWS_LAMBDA_LOG_LEVEL="INFO")
        assert [line["message"] for line in json_lines(outcome)][-2:] == ["got 1", "and more"]
        assert json_lines(invoked(event(entry(1)), AWS_LAMBDA_LOG_LEVEL="ERROR")) == []


def test_with_lambda_s_own_json_format_each_line_is_there_once(invoked: Callable[..., Outcome]) -> None:
    outcome = invoked(event(entry(1, key="bad")), AWS_LAMBDA_LOG_FORMAT="JSON")
    messages = [line["message"] for line in json_lines(outcome)]
    assert messages.count("got 1") == 1
    assert all("shard" in line for line in json_lines(outcome) if line["message"] == "got 1")


def test_text_stays_as_the_runtime_writes_it(invoked: Callable[..., Outcome]) -> None:
    outcome = invoked(event(entry(1, key="bad")), KSTREAM_LOGS="text")
    assert json_lines(outcome) == []
    assert "got 1" in outcome.log
    assert re.search(r"record 1:0 of shardId-\d+ failed after 1 attempt", outcome.log)


def test_a_wrong_form_fails_the_init_phase_and_says_what_to_set(invoked: Callable[..., Outcome]) -> None:
    outcome = invoked(event(entry(1)), KSTREAM_LOGS="xml")
    assert outcome.failed
    assert json.loads(outcome.body)["errorMessage"] == "KSTREAM_LOGS='xml': give json or text"


def test_the_last_words_come_out_before_the_process_is_killed(invoked: Callable[..., Outcome]) -> None:
    # So long that a second is left for the words: they come after half of the margin, a fifth of the whole at most.
    outcome = invoked(event(entry(1, key="good"), entry(2, SECRET.encode(), key="stuck"), entry(3)), timeout_s=10)
    assert outcome.failed
    assert json.loads(outcome.body)["errorType"] == "Sandbox.Timedout"
    last = json_lines(outcome)[-1]
    assert last["level"] == "ERROR"
    assert last["message"].startswith(
        f"the deadline has passed: record 2:0 of {SHARD_ID} is not done (1 of 3 done), in process"
    )
    assert (last["outcome"], last["sequence_number"], last["request_id"]) == ("deadline_passed", "2", "request-1")
    assert "app.py" in last["stack"]
    assert SECRET not in outcome.log


FRAMED = """
import logging, os, sys
from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_log_utils import LogFormat
from kstream.runtimes.lambda_logs import write_json_lines
from kstream.settings import Settings

log_format = LogFormat.from_str(sys.argv[1])
with bootstrap.FramedTelemetryLogSink(int(sys.argv[2])) as sink:
    bootstrap._setup_logging(log_format, "DEBUG", sink)
    if sys.argv[3] == "ours":
        write_json_lines(Settings.from_environment())
    for level in (5, 10, 20, 25, 30, 40, 50):
        logging.log(level, "level %d", level)
"""


def frames(python: Path, file: Path, log_format: str, whose: str) -> list[tuple[bytes, str]]:
    """What the platform is sent by the runtime's own protocol: each line with the type of its frame."""
    with file.open("w+b") as sink:
        command = [str(python), "-c", FRAMED, log_format, str(sink.fileno()), whose]
        path = os.pathsep.join(map(str, (ROOT, LIBRARIES)))
        subprocess.run(command, check=True, pass_fds=(sink.fileno(),), env={"PYTHONPATH": path}, timeout=120)
        sent = file.read_bytes()
    found = []
    while sent:
        length = int.from_bytes(sent[4:8], "big")
        found.append((sent[:4], sent[16 : 16 + length].decode()))
        sent = sent[16 + length :]
    return found


@pytest.mark.parametrize("log_format", ["JSON", "TEXT"])
def test_the_platform_is_told_level_and_form_as_the_runtime_itself_does(
    with_awslambdaric: Path, tmp_path: Path, log_format: str
) -> None:
    ours = frames(with_awslambdaric, tmp_path / "ours", log_format, "ours")
    theirs = frames(with_awslambdaric, tmp_path / "theirs", log_format, "theirs")
    assert [kind for kind, _ in ours] == [kind for kind, _ in theirs]
    assert [strictly(line)["message"] for _, line in ours] == [f"level {level}" for level in (10, 20, 25, 30, 40, 50)]
    assert all(line.endswith("}\n") for _, line in ours)
