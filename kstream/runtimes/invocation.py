"""One invocation of a function on this machine, as Lambda would make it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kstream.core.delivery.answer import Failure, parse_answer
from kstream.core.events import kinesis_event
from kstream.core.lambda_context import LambdaContext

if TYPE_CHECKING:
    from kstream.core.delivery.answer import Verdict
    from kstream.core.delivery.batch import Delivery
    from kstream.core.mapping import EventSourceMapping
    from kstream.core.ports import Clock
    from kstream.core.shards import StreamDescription
    from kstream.runtimes.bounded_log import BoundedLog

LambdaHandler = Callable[[dict[str, Any], Any], Any]

_REASON_LIMIT = 300


class Invoker:
    """Builds events, calls the handler, and judges what came of it. Thread-safe if the handler is.

    A failed invocation is: an exception (``SystemExit`` too), an answer that is not JSON, or an answer that comes later
    than ``timeout`` seconds. Lambda would have killed the process there; a thread cannot be killed, so a handler that
    ignores ``get_remaining_time_in_millis`` runs on to its end, and its answer is not heard.
    """

    def __init__(
        self,
        handler: LambdaHandler,
        *,
        stream: StreamDescription,
        mapping: EventSourceMapping,
        function_name: str,
        timeout: float,
        clock: Clock,
        log: BoundedLog,
    ) -> None:
        self._handler = handler
        self._stream = stream
        self._mapping = mapping
        self._function_name = function_name
        self._timeout = timeout
        self._clock = clock
        self._log = log
        self._run = uuid.uuid4()
        self.function_arn = f"arn:aws:lambda:{stream.region}:{stream.account_id}:function:{function_name}"

    def request_id(self, delivery_id: str) -> str:
        """The request id of a delivery's invocation: a UUID, always the same one for the same delivery of this run."""
        return str(uuid.uuid5(self._run, delivery_id))

    def invoke(self, delivery: Delivery) -> Verdict:
        stream = self._stream
        event = kinesis_event(delivery.records, shard_id=delivery.shard_id, stream_arn=stream.arn, region=stream.region)
        context = LambdaContext(
            clock=self._clock,
            timeout=self._timeout,
            aws_request_id=self.request_id(delivery.id),
            function_name=self._function_name,
            invoked_function_arn=self.function_arn,
        )
        began = self._clock.monotonic()
        try:
            # As JSON and back: what a function answers reaches the mapping as nothing else.
            answer = json.loads(json.dumps(self._handler(event, context)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- the handler is the user's
            return self._failed(delivery, error)
        took = self._clock.monotonic() - began
        if took > self._timeout:
            reason = f"the function took {took:.1f} s, and its timeout is {self._timeout:g} s"
            self._log.failed("timeout", f"{delivery.shard_id}: {reason}")
            return Failure(reason)
        verdict = parse_answer(
            answer, delivery.records, report_batch_item_failures=self._mapping.report_batch_item_failures
        )
        if isinstance(verdict, Failure):
            self._log.failed("answer", f"{delivery.shard_id}: {verdict.reason}")
        return verdict

    def _failed(self, delivery: Delivery, error: BaseException) -> Failure:
        kind = type(error).__qualname__
        text = " ".join(str(error).split())
        reason = f"{kind}: {text}"[:_REASON_LIMIT]
        self._log.failed(
            kind,
            f"{self._function_name} failed on {len(delivery.records)} records of {delivery.shard_id}, "
            f"attempt {delivery.attempt}: {reason}",
            error,
        )
        return Failure(reason)
