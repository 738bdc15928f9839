"""LocalStack's way of running functions (a ``RuntimeExecutor``), on sandboxes that are processes."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import LambdaRuntimeException, RuntimeExecutor

from .interpreters import interpreter_for
from .sandbox import Function, InitError, Sandbox, SandboxStoppedError

if TYPE_CHECKING:
    from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, VersionFunctionConfiguration

_LOG = logging.getLogger(__name__)


class ProcessExecutor(RuntimeExecutor):  # type: ignore[misc]
    """One sandbox. LocalStack makes one of these for each execution environment, and invokes it one at a time."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002 -- LocalStack's name
        super().__init__(id=id, function_version=function_version)
        self._sandbox: Sandbox | None = None

    def start(self, env_vars: dict[str, str | int]) -> None:
        settings = self.function_version.config
        code = settings.code.get_unzipped_code_location()
        interpreter = interpreter_for(settings.runtime, _provided_python())
        if not interpreter.exact:
            _LOG.warning("There is no working %s here: %s runs it instead", settings.runtime, interpreter.python)
        environment = {name: str(value) for name, value in env_vars.items()}
        environment |= {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{settings.runtime}",
            "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent),
            "LAMBDA_TASK_ROOT": str(code),
            "TZ": "UTC",  # LocalStack says :UTC, which not every library understands
        }
        self._sandbox = Sandbox(
            Function(
                python=interpreter.python,
                handler=settings.handler,
                code=code,
                timeout_s=settings.timeout,
                memory_mb=settings.memory_size,
                version=self.function_version.id.qualifier,
                environment=environment,
                import_path=(*_layers(settings), *interpreter.import_path),
            )
        )
        try:
            self._sandbox.start()
        except InitError as error:
            # LocalStack makes a function error of this exception, and a server error of any other.
            raise StatusErrorException(str(error), payload=error.body) from error

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        assert self._sandbox is not None
        request_id = payload["invoke-id"]
        headers = {
            "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
            "Lambda-Runtime-Trace-Id": payload.get("trace-id") or "",
        }
        try:
            outcome = self._sandbox.invoke(request_id, payload["payload"].encode(), headers)
        except SandboxStoppedError as error:
            raise LambdaRuntimeException(str(error)) from error
        return InvocationResult(request_id, outcome.body, is_error=outcome.failed, logs=outcome.log)

    def stop(self) -> None:
        if self._sandbox is not None:
            self._sandbox.stop()

    def get_logs(self) -> str:
        return self._sandbox.log() if self._sandbox is not None else ""

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Where a function finds LocalStack: becomes its ``AWS_ENDPOINT_URL``."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Where LocalStack's own runtime would call back; ours does not."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzip the code and its layers. What this raises becomes the reason why the function is ``Failed``."""
        settings = function_version.config
        if not settings.code:
            raise NotImplementedError("Without Docker a function cannot be a container image: deploy it as a zip")
        if not str(settings.runtime).startswith("python"):
            raise NotImplementedError(f"Without Docker only Python runtimes can be run, not {settings.runtime}")
        settings.code.prepare_for_execution()
        for layer in settings.layers:
            layer.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        pass


def _provided_python() -> Path:
    return Path(os.environ["LAMBDA_PROVIDED_PYTHON"])


def _layers(settings: VersionFunctionConfiguration) -> list[Path]:
    """The directories that Lambda would lay over each other as /opt/python: of two files the later layer's counts."""
    return [Path(layer.code.get_unzipped_code_location(), "python") for layer in reversed(settings.layers)]
