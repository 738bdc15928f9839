"""The sandbox in which LocalStack without Docker runs a function: its conduct is Lambda's, on either runtime."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.localstack.environment import install
from tests.support.localstack.plugin.localstack_kstream.sandbox import (
    Function,
    InitError,
    Sandbox,
    SandboxStoppedError,
)
from tests.support.processes import exists, within_a_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.localstack.plugin.localstack_kstream.sandbox import Outcome

SURROUNDINGS = {
    "AWS_LAMBDA_FUNCTION_NAME": "orders",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders",
    "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
}
HEADERS = {"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:orders"}


@pytest.fixture(params=["awslambdaric", "loop"])
def python(request: pytest.FixtureRequest) -> Path:
    """An interpreter that has AWS's runtime client, and one that has not."""
    if request.param == "awslambdaric":
        return install(lambda _: None).lambda_python
    return Path(sys.executable)


@pytest.fixture
def sandbox(python: Path, tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Makes a sandbox of a module's source; stopped at the end."""
    made = []

    def sandbox(source: str, timeout_s: int = 30) -> Sandbox:
        (tmp_path / "app.py").write_text(source)
        function = Function(python, "app.handler", tmp_path, timeout_s, 128, environment=SURROUNDINGS)
        made.append(Sandbox(function))
        return made[-1]

    yield sandbox
    for one in made:
        one.stop()


def invoked(sandbox: Sandbox, event: object = None) -> tuple[Any, Outcome]:
    outcome = sandbox.invoke("request-1", json.dumps(event).encode(), HEADERS)
    return json.loads(outcome.body), outcome


def test_it_answers_what_the_handler_returns_and_keeps_its_state(sandbox: Callable[..., Sandbox]) -> None:
    one = sandbox(
        "calls = 0\n"
        "def handler(event, context):\n"
        "    global calls\n"
        "    calls += 1\n"
        "    print('call', calls)\n"
        "    return [calls, event, context.aws_request_id, context.function_name]\n"
    )
    one.start()

    assert invoked(one, {"a": 1})[0] == [1, {"a": 1}, "request-1", "orders"]
    answer, outcome = invoked(one)
    assert answer[0] == 2
    assert not outcome.failed
    lines = outcome.log.splitlines()
    assert lines[0] == "START RequestId: request-1 Version: $LATEST"
    assert lines[1] == "call 2"  # and not what the first invocation wrote
    assert lines[-1].startswith("REPORT RequestId: request-1\tDuration: ")


def test_it_sees_its_own_environment_alone(sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSTREAM_SECRET", "hunter2")
    one = sandbox("import os\ndef handler(event, context): return dict(os.environ)")

    answer, _ = invoked(one)

    assert "KSTREAM_SECRET" not in answer
    assert answer["AWS_LAMBDA_FUNCTION_NAME"] == "orders"


def test_an_exception_is_an_error_with_its_type_and_message(sandbox: Callable[..., Sandbox]) -> None:
    answer, outcome = invoked(sandbox("def handler(event, context): raise LookupError('no order')"))

    assert outcome.failed
    assert (answer["errorType"], answer["errorMessage"]) == ("LookupError", "no order")


def test_a_module_that_fails_to_import_is_an_init_error(sandbox: Callable[..., Sandbox]) -> None:
    one = sandbox("print('before')\nraise RuntimeError('no settings')")

    with pytest.raises(InitError, match="before") as raised:
        one.start()

    assert json.loads(raised.value.body)["errorMessage"] == "no settings"


def test_a_process_that_ends_by_itself_says_how_and_the_next_invocation_has_a_new_one(
    sandbox: Callable[..., Sandbox],
) -> None:
    one = sandbox("import os\ndef handler(event, context): return os._exit(7) if event else 'alive'")

    answer, outcome = invoked(one, "end")

    assert outcome.failed
    assert answer == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: request-1 Error: Runtime exited with error: exit status 7",
    }
    assert invoked(one)[0] == "alive"


def test_a_timeout_ends_the_process_with_its_children(sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    one = sandbox(
        # Started before the invocation, so that the two seconds are for waiting alone.
        "import os, pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'while True: pass'])\n"
        f"pathlib.Path({str(tmp_path)!r}, 'pids').write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "def handler(event, context):\n"
        "    child.wait()\n",
        timeout_s=2,
    )

    answer, outcome = invoked(one)

    assert outcome.failed
    assert answer["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in outcome.log
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert within_a_minute(lambda: not any(map(exists, pids)))


def test_an_answer_beyond_lambdas_limit_is_an_error(sandbox: Callable[..., Sandbox]) -> None:
    answer, outcome = invoked(sandbox("def handler(event, context): return 'x' * (6 * 1024 * 1024)"))

    assert outcome.failed
    assert answer["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_stopped_sandbox_does_not_start(sandbox: Callable[..., Sandbox]) -> None:
    one = sandbox("def handler(event, context): pass")
    one.stop()

    with pytest.raises(SandboxStoppedError):
        one.start()
