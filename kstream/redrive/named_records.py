"""The Kinesis records that an on-failure message names, read from their stream while they are there.

Facts from the Kinesis API reference: AT_SEQUENCE_NUMBER starts at exactly that record; an iterator expires after five
minutes; a shard takes five reads a second. What happens to the number of a record that has been trimmed away is not said
there: whether it is refused or leads elsewhere, reading then starts at the oldest record that is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kstream.aws.failures import code_of, told_as
from kstream.clock import SystemClock
from kstream.core.batch import Batch
from kstream.core.delivery.batch import StreamRecord
from kstream.core.errors import ReadError
from kstream.core.events import kinesis_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.core.ports import Clock
    from kstream.redrive.on_failure import OnFailureMessage

_PAGE = 1_000
_PAUSE_S = 0.25
_REFUSED = {"InvalidArgumentException", "ResourceNotFoundException"}
_REMEDIES = {"ResourceNotFoundException": "the stream or the shard is gone, or the endpoint or region is another"}


@dataclass(frozen=True, slots=True)
class Found:
    """What is left of the records, as the function got them, and how many of them are ``gone``."""

    batch: Batch
    gone: int


class NamedRecords:
    """Fetches. ``endpoint_url``, ``region``: where Kinesis is; without either, the region of the stream's ARN."""

    def __init__(
        self, *, endpoint_url: str | None = None, region: str | None = None, clock: Clock | None = None
    ) -> None:
        self._endpoint_url = endpoint_url
        self._region = region
        self._clock = clock or SystemClock()
        self._clients: dict[str | None, Any] = {}

    def of(self, message: OnFailureMessage) -> Found:
        """From the message itself if it holds them, else from the stream. Raises ``ReadError``."""
        if message.batch is not None:
            return Found(message.batch, max(0, message.batch_size - len(message.batch.outers)))
        records = self._read(message)
        event = kinesis_event(records, shard_id=message.shard_id, stream_arn=message.stream_arn, region=message.region)
        return Found(Batch.from_entries(event["Records"]), max(0, message.batch_size - len(records)))

    def _read(self, message: OnFailureMessage) -> list[StreamRecord]:
        kinesis = self._client(message)
        action = f"cannot read {message.shard_id} of stream {message.stream_name!r}"
        with told_as(ReadError, action, needs="kinesis:GetShardIterator and kinesis:GetRecords", remedies=_REMEDIES):
            at = self._at_first(kinesis, message)
            found = [] if at is None else list(self._from(kinesis, at, message))
            if (found and int(found[0].sequence_number) == int(message.first)) or not self._has_shard(kinesis, message):
                return found
            # The first one is gone, so the oldest that is left is not far from the others.
            where = {"StreamName": message.stream_name, "ShardId": message.shard_id}
            oldest = kinesis.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")
            return list(self._from(kinesis, oldest["ShardIterator"], message))

    def _from(self, kinesis: Any, iterator: str | None, message: OnFailureMessage) -> Iterator[StreamRecord]:
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=_PAGE)
            for record in answer["Records"]:
                if message.covers(record["SequenceNumber"]):
                    yield _stream_record(record)
                if int(record["SequenceNumber"]) >= int(message.last):
                    return
            iterator = answer.get("NextShardIterator")
            if not answer["Records"] and not answer.get("MillisBehindLatest"):
                return
            self._clock.sleep(_PAUSE_S)

    def _at_first(self, kinesis: Any, message: OnFailureMessage) -> str | None:
        try:
            with told_as(ReadError, "cannot find the first record", needs="kinesis:GetShardIterator", remedies={}):
                answer = kinesis.get_shard_iterator(
                    StreamName=message.stream_name,
                    ShardId=message.shard_id,
                    ShardIteratorType="AT_SEQUENCE_NUMBER",
                    StartingSequenceNumber=message.first,
                )
                return str(answer["ShardIterator"])
        except ReadError as error:
            if isinstance(error.__cause__, Exception) and code_of(error.__cause__) in _REFUSED:
                return None
            raise

    def _has_shard(self, kinesis: Any, message: OnFailureMessage) -> bool:
        request: dict[str, Any] = {"StreamName": message.stream_name}
        while True:
            answer = kinesis.list_shards(**request)
            if any(shard["ShardId"] == message.shard_id for shard in answer["Shards"]):
                return True
            if not answer.get("NextToken"):
                return False
            request = {"NextToken": answer["NextToken"]}

    def _client(self, message: OnFailureMessage) -> Any:
        from kstream.aws.clients import client

        region = self._region or (None if self._endpoint_url else message.region or None)
        if region not in self._clients:
            self._clients[region] = client("kinesis", endpoint_url=self._endpoint_url, region=region)
        return self._clients[region]


def _stream_record(record: Any) -> StreamRecord:
    return StreamRecord(
        record["PartitionKey"],
        record["SequenceNumber"],
        record["Data"],
        record["ApproximateArrivalTimestamp"].timestamp(),
    )
