"""The context object that Lambda passes beside the event, for invocations outside AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kstream.core.ports import Clock


class LambdaContext:
    """Has the attributes of Lambda's own context (developer guide, "Using the Lambda context object for Python").

    ``timeout`` in seconds, counted from here on by ``clock``'s monotonic time. Read-only by intent; thread-safe.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        timeout: float = 60.0,
        aws_request_id: str = "00000000-0000-0000-0000-000000000000",
        function_name: str = "kstream-local",
        invoked_function_arn: str = "",
        memory_limit_in_mb: str = "128",
    ) -> None:
        self._clock = clock
        self._deadline = clock.monotonic() + timeout
        self.aws_request_id = aws_request_id
        self.function_name = function_name
        self.function_version = "$LATEST"
        self.invoked_function_arn = (
            invoked_function_arn or f"arn:aws:lambda:us-east-1:000000000000:function:{function_name}"
        )
        self.memory_limit_in_mb = memory_limit_in_mb
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = f"local/[{self.function_version}]{aws_request_id}"
        self.identity = None
        self.client_context = None

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out; never below 0."""
        return max(0, int((self._deadline - self._clock.monotonic()) * 1000))
