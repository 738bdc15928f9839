"""Run as a file by a function's interpreter: the runtime of one execution environment.

Its arguments are the handler and the number of a file descriptor: the reading end of a pipe that LocalStack holds and
never writes to. When LocalStack is gone, however it ended, the pipe closes and this process ends with all its children.

It is awslambdaric, the client that AWS's own Python runtimes run, where the interpreter has it, else a loop with the
same conduct towards the Runtime API. It stands on the standard library alone and runs on every Python that Lambda has.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX = "/2018-06-01/runtime/"


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)  # the group is ours: the process was started in a session of its own


def _has_awslambdaric() -> bool:
    try:
        import awslambdaric  # type: ignore[import-not-found]  # noqa: F401
        import runtime_client  # type: ignore[import-not-found]  # noqa: F401 -- its compiled half, made for one version of Python
    except ImportError:
        return False
    return True


class Context:
    """What a handler gets as its second argument."""

    identity = None
    client_context = None

    def __init__(self, headers: http.client.HTTPMessage) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))


class _Api:
    def __init__(self) -> None:
        self._connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[http.client.HTTPMessage, bytes]:
        self._connection.request(method, _PREFIX + path, body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        return answer.headers, answer.read()


def _description(error: BaseException) -> bytes:
    traceback.print_exception(type(error), error, error.__traceback__)
    said = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }
    return json.dumps(said).encode()


def _loop(handler_name: str) -> NoReturn:
    api = _Api()
    try:
        module, _, name = handler_name.rpartition(".")
        handler: Callable[[Any, Context], object] = getattr(importlib.import_module(module.replace("/", ".")), name)
    except BaseException as error:
        api.call("POST", "init/error", _description(error))
        sys.exit(1)
    while True:
        headers, event = api.call("GET", "invocation/next")
        context = Context(headers)
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
        try:
            said, body = "response", json.dumps(handler(json.loads(event), context)).encode()
        except Exception as error:
            said, body = "error", _description(error)
        api.call("POST", f"invocation/{context.aws_request_id}/{said}", body)


if __name__ == "__main__":
    handler_name, lifeline = sys.argv[1], int(sys.argv[2])
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True, name="end-with-localstack").start()
    if _has_awslambdaric():
        sys.argv[1:] = [handler_name]
        runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
    else:
        _loop(handler_name)
