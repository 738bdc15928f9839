"""Lambda's event for an SQS queue: messages, each of which is settled by itself.

Form: Lambda developer guide, "Using Lambda with Amazon SQS". A FIFO queue is known by its name, which must end with
``.fifo``: since there are fair queues, messages of any other may have a group too, which says nothing of their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.batch import Batch
from kstream.core.errors import UndecodableRecord
from kstream.core.ledger_keys import key_digest
from kstream.core.record import Position, Record
from kstream.runtimes.entries import read_each
from kstream.telemetry.trace_context import AMZN_TRACE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kstream.runtimes.entries import Entry

MESSAGE_ID = "AWS.MessageId"
"""The header with a message's id. No attribute that a producer gives can have this name: SQS keeps ``AWS.`` for itself."""


class MessageRecord(Record):
    """A message, read in place from an entry of Lambda's SQS event.

    ``data``             its body, in UTF-8.
    ``partition_key``    its group, or its own id if it has none.
    ``sequence_number``  its ``messageId``; ``position`` is a number that the id makes.
    ``headers``          its attributes, as far as they are text or numbers, its id, and where SQS has one, its trace.

    Raises ``EventError`` naming the field that is not what SQS delivers.
    """

    __slots__ = ("_body",)

    def __init__(self, entry: Entry) -> None:
        attributes, arn, message_id = entry.inner("attributes"), entry.text("eventSourceARN"), entry.name("messageId")
        grouped = _is_fifo(arn) or attributes.fields.get("MessageGroupId")
        super().__init__(
            b"",
            partition_key=attributes.name("MessageGroupId") if grouped else message_id,
            sequence_number=message_id,
            shard_id="",
            stream_arn=arn,
            arrived_at=attributes.milliseconds("SentTimestamp"),
            headers=_headers(entry.fields),
        )
        self._body = entry.text("body")
        self._data = None

    @property
    def data(self) -> bytes:
        data = self._data
        if data is None:
            try:
                data = self._data = self._body.encode()
            except UnicodeEncodeError as error:
                raise UndecodableRecord(f"the message's body has no UTF-8: {error}") from None
        return data

    @property
    def position(self) -> Position:
        return Position(int.from_bytes(key_digest(self.sequence_number), "big"))

    def as_arrived(self) -> Record:
        return Record(
            self._body.encode("utf-8", "surrogatepass"),
            partition_key=self.partition_key,
            sequence_number=str(self.position.sequence),
            shard_id=self.shard_id,
            stream_arn=self.stream_arn,
            arrived_at=self.arrived_at,
            headers=self.headers,
        )


def batch_of(entries: Sequence[Any]) -> Batch:
    """The messages. Raises ``EventError`` naming the entry and the field that is not what SQS delivers."""
    messages = read_each(entries, "aws:sqs", MessageRecord)
    return Batch.plain(messages, queue_order="partition_key" if _is_fifo(messages[0].stream_arn) else "none")


def _is_fifo(queue_arn: str) -> bool:
    return queue_arn.endswith(".fifo")


def _headers(entry: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if isinstance(trace := entry["attributes"].get("AWSTraceHeader"), str):
        headers[AMZN_TRACE_ID] = trace
    given = entry.get("messageAttributes")
    for name, attribute in given.items() if isinstance(given, dict) else ():
        # Of a binary one there is none.
        if isinstance(attribute, dict) and isinstance(value := attribute.get("stringValue"), str):
            headers[name] = value
    return headers | {MESSAGE_ID: entry["messageId"]}
