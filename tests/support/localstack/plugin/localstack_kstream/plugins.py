"""What LocalStack finds through the entry points in pyproject.toml. Each imports its part only when it is chosen."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from localstack.runtime.server.core import RuntimeServerPlugin
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.plugins import aws_provider

if TYPE_CHECKING:
    from localstack.runtime.server import RuntimeServer
    from localstack.services.plugins import Service

    from .executor import ProcessExecutor


class ProcessExecutorPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]
    """``LAMBDA_RUNTIME_EXECUTOR=process``."""

    name = "process"

    def load(self, *_args: Any, **_kwargs: Any) -> type[ProcessExecutor]:
        from .executor import ProcessExecutor

        return ProcessExecutor


class LoopbackServerPlugin(RuntimeServerPlugin):  # type: ignore[misc]
    """``GATEWAY_SERVER=loopback``."""

    name = "loopback"

    def load(self, *_args: Any, **_kwargs: Any) -> RuntimeServer:
        from .gateway import LoopbackServer

        return LoopbackServer()


@aws_provider(api="dynamodb", name="forward")  # type: ignore[untyped-decorator]
def dynamodb() -> Service:
    """``PROVIDER_OVERRIDE_DYNAMODB=forward``."""
    from localstack.aws.api.dynamodb import DynamodbApi

    from .forwarding import forwarded

    return forwarded(DynamodbApi, os.environ["DYNAMODB_FORWARD_URL"])


@aws_provider(api="dynamodbstreams", name="forward")  # type: ignore[untyped-decorator]
def dynamodbstreams() -> Service:
    """``PROVIDER_OVERRIDE_DYNAMODBSTREAMS=forward``."""
    from localstack.aws.api.dynamodbstreams import DynamodbstreamsApi

    from .forwarding import forwarded

    return forwarded(DynamodbstreamsApi, os.environ["DYNAMODB_FORWARD_URL"])


@aws_provider(api="s3", name="apart")  # type: ignore[untyped-decorator]
def s3() -> Service:
    """``PROVIDER_OVERRIDE_S3=apart``: objects lie in our temporary directory, not in one that every LocalStack uses."""
    from localstack.services.plugins import Service
    from localstack.services.s3.provider import S3Provider
    from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore

    return Service.for_provider(S3Provider(EphemeralS3ObjectStore(tempfile.mkdtemp(prefix="s3-"))))
