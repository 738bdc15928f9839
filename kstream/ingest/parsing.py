"""From a request to entries for the stream. Whatever is wrong is a ``Refusal`` that names the place."""

from __future__ import annotations

import json
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any

from kstream.aws.stream_writer import Entry
from kstream.ingest.contract import MAX_KEY_CHARACTERS, PARTITION_KEY, PARTITION_KEY_HEADER, ErrorCode
from kstream.ingest.http import Refusal

if TYPE_CHECKING:
    from kstream.ingest.contract import Limits
    from kstream.ingest.http import Head

_RECORD_SHAPE = 'a record is {"data": "text"} or {"dataBase64": "..."}, with an optional "partitionKey"'
_KEY_RULE = '"partitionKey" is text of 1 to 256 characters without quotes, backslashes and control characters'


def single_entry(head: Head, body: bytes, limits: Limits) -> Entry:
    """The body as one record."""
    entry = Entry(body, _header_key(head))
    if len(body) + len(entry.partition_key.encode()) > limits.record_bytes:
        raise _record_too_large("the record", limits)
    return entry


def batch_entries(head: Head, body: bytes, limits: Limits) -> list[Entry]:
    """The body's records, in order."""
    records = _records(body, limits)
    entries: list[Entry] = []
    add = entries.append
    match_key = PARTITION_KEY.fullmatch
    # Every record passes here, so the loop calls nothing of ours; ``_wrong`` says what is amiss, once something is.
    for index, record in enumerate(records):
        try:
            properties = 1
            if "partitionKey" in record:
                properties = 2
                key = record["partitionKey"]
                if match_key(key) is None:
                    raise _wrong(index, record)
            else:
                key = f"{head.request_id}-{index}"
            data = (
                a2b_base64(record["dataBase64"], strict_mode=True)
                if "dataBase64" in record
                else record["data"].encode()
            )
        except (TypeError, KeyError, AttributeError, ValueError):
            raise _wrong(index, record) from None
        if len(record) != properties:
            raise _wrong(index, record)
        if len(data) + 4 * len(key) > limits.record_bytes and len(data) + len(key.encode()) > limits.record_bytes:
            raise _record_too_large(f"records[{index}]", limits)
        add(Entry(data, key))
    return entries


def _header_key(head: Head) -> str:
    # No model can restrict a header in API Gateway, so quotes and the like are as good here as any other text.
    value = head.headers.get(PARTITION_KEY_HEADER)
    if value is None:
        return head.request_id
    try:
        key = value.encode("latin-1").decode("utf-8")
    except ValueError:
        raise Refusal(ErrorCode.BAD_REQUEST, "the header X-Partition-Key is not UTF-8") from None
    if not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise Refusal(
            ErrorCode.BAD_REQUEST, f"the header X-Partition-Key has {len(key)} characters; Kinesis takes 1 to 256"
        )
    return key


def _records(body: bytes, limits: Limits) -> list[Any]:
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(ErrorCode.BAD_REQUEST, f"the body is not JSON in UTF-8: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("records"), list) or len(document) != 1:
        raise Refusal(ErrorCode.BAD_REQUEST, f'the body is {{"records": [...]}} and nothing else; {_RECORD_SHAPE}')
    records: list[Any] = document["records"]
    if not 1 <= len(records) <= limits.records:
        raise Refusal(
            ErrorCode.BAD_REQUEST, f"the batch has {len(records):,} records; it takes 1 to {limits.records:,}"
        )
    return records


def _wrong(index: int, record: object) -> Refusal:
    where = f"records[{index}]"
    if not isinstance(record, dict):
        return Refusal(ErrorCode.BAD_REQUEST, f"{where} is not an object; {_RECORD_SHAPE}")
    unknown = sorted(set(record) - {"data", "dataBase64", "partitionKey"})
    if unknown:
        return Refusal(ErrorCode.BAD_REQUEST, f"{where} has the unknown property {unknown[0]!a}; {_RECORD_SHAPE}")
    if ("data" in record) == ("dataBase64" in record):
        return Refusal(ErrorCode.BAD_REQUEST, f'{where} needs one of "data" and "dataBase64"; {_RECORD_SHAPE}')
    key = record.get("partitionKey", "-")
    if not isinstance(key, str) or not PARTITION_KEY.fullmatch(key):
        return Refusal(ErrorCode.BAD_REQUEST, f"{where}: {_KEY_RULE}")
    if "data" in record:
        return Refusal(ErrorCode.BAD_REQUEST, f'{where}: "data" is not text with a UTF-8 form')
    return Refusal(ErrorCode.BAD_REQUEST, f'{where}: "dataBase64" is not base64 (RFC 4648, padded, one line)')


def _record_too_large(what: str, limits: Limits) -> Refusal:
    return Refusal(
        ErrorCode.TOO_LARGE, f"{what} is over {limits.record_bytes:,} bytes, data and partition key together"
    )
