"""Puts one record, once: one request, and the whole truth about what came of it.

botocore would repeat a request whose answer was lost, and so put the record twice without anybody knowing. Whoever must
know makes one request and is told that the outcome is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kstream.aws.stream_writer import FailureKind, Written, kind_of

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


class NotPut(NamedTuple):
    """Kinesis certainly does not have it. ``throttled``: later it may take it."""

    reason: str
    throttled: bool = False


class PutUnknown(NamedTuple):
    """The answer was lost, or said that Kinesis failed on the way: it may have the record or not."""

    reason: str


PutResult = Written | NotPut | PutUnknown


class RecordPut:
    """PutRecord over boto3, without retries. Thread-safe."""

    def __init__(self, *, endpoint_url: str | None = None, region: str | None = None) -> None:
        from kstream.aws.clients import client

        self._client: KinesisClient = client("kinesis", endpoint_url=endpoint_url, region=region, attempts=1)

    def put(self, stream: str, data: bytes, partition_key: str, explicit_hash_key: str | None = None) -> PutResult:
        """One request. Raises nothing for what AWS or the network does."""
        from botocore.exceptions import BotoCoreError, ClientError

        where: dict[str, Any] = {} if explicit_hash_key is None else {"ExplicitHashKey": explicit_hash_key}
        try:
            answer = self._client.put_record(StreamName=stream, Data=data, PartitionKey=partition_key, **where)
        except ClientError as error:
            return _answered(error.response)
        except BotoCoreError as error:
            return _unanswered(error)
        return Written(answer["SequenceNumber"], answer["ShardId"])


def _answered(response: Any) -> PutResult:
    error = response.get("Error", {})
    code = error.get("Code", "Unknown")
    reason = f"{code}: {error.get('Message', '')}"
    kind = kind_of(code, response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    if kind is FailureKind.INTERNAL:
        return PutUnknown(reason)
    return NotPut(reason, throttled=kind is FailureKind.THROTTLED)


def _unanswered(error: Exception) -> PutResult:
    from botocore import exceptions

    never_left = (
        exceptions.ConnectTimeoutError,
        exceptions.CredentialRetrievalError,
        exceptions.EndpointConnectionError,
        exceptions.NoCredentialsError,
        exceptions.NoRegionError,
        exceptions.ParamValidationError,
        exceptions.PartialCredentialsError,
        exceptions.ProxyConnectionError,
        exceptions.SSLError,
    )
    reason = f"{type(error).__name__}: {error}"
    return NotPut(reason) if isinstance(error, never_left) else PutUnknown(reason)
