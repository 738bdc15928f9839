"""Reads streams through the Kinesis API: AWS, or any endpoint that speaks it.

Facts from the API reference ("GetShardIterator", "GetRecords", "ListShards"): an iterator expires after five minutes,
and is then asked for again behind the last record that was read; a shard that ends answers no next iterator; a shard
takes five reads a second and throttles what is above. A sequence number may have been trimmed away since it was stored;
what services answer then differs, so any refusal of it leads to the oldest record that is left, with a warning.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from kstream.core.delivery.batch import StreamRecord
from kstream.core.errors import ConfigurationError, ReadError
from kstream.core.shards import After, AtTimestamp, Latest, Page, Shard, StreamDescription, TrimHorizon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kinesis import KinesisClient

    from kstream.core.ports import Clock
    from kstream.core.shards import Start

_log = logging.getLogger(__name__)

_CREATION_LIMIT_S = 60.0
_CREATION_PAUSE_S = 0.5
_THROTTLED = {"ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException", "Throttling"}
_REFUSED = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}


class _NotFound(Exception):
    """The stream or the shard is not there."""


class _Throttled(Exception):
    """Too many requests."""


class _Invalid(Exception):
    """The iterator has expired, or what was asked for does not exist any more."""


class KinesisReader:
    """A ``StreamReader`` over a boto3 Kinesis client. Thread-safe; the shard readers it opens are not."""

    def __init__(self, client: KinesisClient, *, clock: Clock | None = None) -> None:
        if clock is None:
            from kstream.clock import SystemClock

            clock = SystemClock()
        self._client = client
        self._clock = clock
        self.endpoint_url: str = client.meta.endpoint_url

    def describe(self, stream: str) -> StreamDescription:
        """Waits up to a minute for a stream that is being created."""
        deadline = self._clock.monotonic() + _CREATION_LIMIT_S
        while True:
            try:
                with self._errors_of(f"describe stream {stream!r}"):
                    answer = self._client.describe_stream_summary(StreamName=stream)
            except _NotFound:
                raise self.no_stream(stream) from None
            except (_Throttled, _Invalid) as error:
                raise ReadError(f"cannot describe stream {stream!r} at {self.endpoint_url}: {error}") from None
            summary = answer["StreamDescriptionSummary"]
            status = summary["StreamStatus"]
            if status == "DELETING":
                raise ConfigurationError(f"stream {stream!r} at {self.endpoint_url} is being deleted")
            if status != "CREATING":
                break
            if self._clock.monotonic() > deadline:
                raise ReadError(f"stream {stream!r} at {self.endpoint_url} is still being created; try again later")
            self._clock.sleep(_CREATION_PAUSE_S)
        return StreamDescription(
            name=summary["StreamName"],
            arn=summary["StreamARN"],
            created_at=summary["StreamCreationTimestamp"].timestamp(),
            described_at=_date_of(answer),
        )

    def shards(self, stream: str) -> list[Shard]:
        found: list[Shard] = []
        request: dict[str, Any] = {"StreamName": stream}
        while True:
            try:
                with self._errors_of(f"list the shards of stream {stream!r}"):
                    answer = self._client.list_shards(**request)
            except _NotFound:
                raise self.no_stream(stream) from None
            except (_Throttled, _Invalid) as error:
                raise ReadError(f"cannot list the shards of {stream!r} at {self.endpoint_url}: {error}") from None
            for shard in answer["Shards"]:
                parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                found.append(
                    Shard(
                        shard["ShardId"],
                        tuple(parent for parent in parents if parent),
                        closed="EndingSequenceNumber" in shard["SequenceNumberRange"],
                    )
                )
            token = answer.get("NextToken")
            if not token:
                return found
            request = {"NextToken": token}

    def open(self, stream: str, shard_id: str, start: Start) -> KinesisShardReader:
        reader = KinesisShardReader(self, stream, shard_id, start)
        reader.resolve()
        return reader

    def iterator(self, stream: str, shard_id: str, start: Start) -> str:
        """An iterator of Kinesis' own. Raises ``ReadError`` and this module's private signals."""
        request: dict[str, Any] = {"StreamName": stream, "ShardId": shard_id}
        match start:
            case TrimHorizon():
                request["ShardIteratorType"] = "TRIM_HORIZON"
            case Latest():
                request["ShardIteratorType"] = "LATEST"
            case AtTimestamp(seconds):
                request.update(ShardIteratorType="AT_TIMESTAMP", Timestamp=seconds)
            case After(sequence_number):
                request.update(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=sequence_number)
        with self._errors_of(f"find the place to read {shard_id} of stream {stream!r} from"):
            return self._client.get_shard_iterator(**request)["ShardIterator"]

    def get_records(self, shard: str, iterator: str, limit: int) -> Any:
        with self._errors_of(f"read {shard}"):
            return self._client.get_records(ShardIterator=iterator, Limit=limit)

    def no_stream(self, stream: str) -> ConfigurationError:
        return ConfigurationError(
            f"there is no stream {stream!r} at {self.endpoint_url} in region {self._client.meta.region_name}; "
            f"create it (aws kinesis create-stream --stream-name {stream} --shard-count 1), "
            "or correct the stream, the endpoint or the region"
        )

    @contextmanager
    def _errors_of(self, doing: str) -> Iterator[None]:
        """Botocore's errors as ours: what repeating cures, what somebody has to repair, and this module's signals."""
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            text = f"cannot {doing} at {self.endpoint_url}: {error}"
            if code == "ResourceNotFoundException":
                raise _NotFound(text) from error
            if code in _THROTTLED:
                raise _Throttled(text) from error
            if code in {"ExpiredIteratorException", "InvalidArgumentException"}:
                raise _Invalid(text) from error
            if code in _REFUSED:
                raise ConfigurationError(f"{text}; look at the credentials and their permissions") from error
            raise ReadError(text) from error
        except NoCredentialsError as error:
            raise ConfigurationError(f"cannot {doing} at {self.endpoint_url}: {error}") from error
        except BotoCoreError as error:
            raise ReadError(f"cannot {doing} at {self.endpoint_url}: {error}") from error


class KinesisShardReader:
    """A ``ShardReader`` over GetRecords, which always knows where it is by sequence number."""

    def __init__(self, kinesis: KinesisReader, stream: str, shard_id: str, start: Start) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._shard_id = shard_id
        self._start = start
        self._iterator: str | None = None

    def resolve(self) -> None:
        """Finds the shard's tip now. From here on the place is a point in time: the tip will have moved on."""
        start = self._start
        if isinstance(start, Latest):
            self._start = AtTimestamp(start.since)
            with suppress(_Throttled, _Invalid, _NotFound, ReadError):
                self._iterator = self._kinesis.iterator(self._stream, self._shard_id, start)

    def read(self, limit: int) -> Page:
        try:
            return self._read(limit)
        except _Throttled:
            return Page(throttled=True)
        except _NotFound as error:
            return self._vanished(error)

    def _read(self, limit: int) -> Page:
        iterator = self._iterator or self._renew()
        try:
            answer = self._kinesis.get_records(self._shard_id, iterator, limit)
        except _Invalid:
            self._iterator = None
            iterator = self._renew()
            try:
                answer = self._kinesis.get_records(self._shard_id, iterator, limit)
            except _Invalid as error:
                raise ReadError(str(error)) from error
        except _Throttled:
            self._iterator = iterator
            raise
        except ReadError:
            # Whatever became of the iterator, the place is known.
            self._iterator = None
            raise
        records = [
            StreamRecord(
                record["PartitionKey"],
                record["SequenceNumber"],
                record["Data"],
                record["ApproximateArrivalTimestamp"].timestamp(),
            )
            for record in answer["Records"]
        ]
        if records:
            self._start = After(records[-1].sequence_number)
        self._iterator = answer.get("NextShardIterator")
        return Page(records, answer.get("MillisBehindLatest", 0), ended=self._iterator is None)

    def _renew(self) -> str:
        start = self._start
        try:
            return self._kinesis.iterator(self._stream, self._shard_id, start)
        except (_Invalid, _NotFound) as error:
            if not isinstance(start, After):
                if isinstance(error, _Invalid):
                    raise ReadError(str(error)) from error
                raise
            self._require_stream()
            _log.warning(
                "%s of stream %s: the record at checkpoint %s is gone; going on from the oldest one left. "
                "Records that were trimmed away in between are lost: process faster, or keep records for longer.",
                self._shard_id,
                self._stream,
                start.sequence_number,
            )
            iterator = self._kinesis.iterator(self._stream, self._shard_id, TrimHorizon())
            self._start = TrimHorizon()
            return iterator

    def _vanished(self, error: _NotFound) -> Page:
        """The shard cannot be read. If the stream is there without it, all of it has been trimmed away."""
        self._require_stream()
        if any(shard.id == self._shard_id for shard in self._kinesis.shards(self._stream)):
            self._iterator = None
            raise ReadError(str(error))
        _log.warning(
            "%s of stream %s is not there any more; what was not read of it is lost.", self._shard_id, self._stream
        )
        return Page(ended=True)

    def _require_stream(self) -> None:
        self._kinesis.describe(self._stream)


def _date_of(answer: Any) -> float | None:
    header = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except ValueError:
        return None
