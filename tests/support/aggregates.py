"""Aggregates made by other means than kstream's writer, and protobuf's own verdict on them."""

from __future__ import annotations

import sys
from hashlib import md5
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

MAGIC = b"\xf3\x89\x9a\xc2"

_OPTIONAL, _REQUIRED, _REPEATED = 1, 2, 3
_UINT64, _STRING, _MESSAGE, _BYTES = 4, 9, 11, 12


def seal(message: bytes) -> bytes:
    """A protobuf message as the KPL sends it, with the right digest."""
    return MAGIC + message + md5(message).digest()


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="kstream_test.proto", package="kstream_test", syntax="proto2")
    for name, *fields in (
        ("Tag", ("key", 1, _REQUIRED, _STRING, ""), ("value", 2, _OPTIONAL, _STRING, "")),
        (
            "Record",
            ("partition_key_index", 1, _REQUIRED, _UINT64, ""),
            ("explicit_hash_key_index", 2, _OPTIONAL, _UINT64, ""),
            ("data", 3, _REQUIRED, _BYTES, ""),
            ("tags", 4, _REPEATED, _MESSAGE, ".kstream_test.Tag"),
        ),
        (
            "AggregatedRecord",
            ("partition_key_table", 1, _REPEATED, _STRING, ""),
            ("explicit_hash_key_table", 2, _REPEATED, _STRING, ""),
            ("records", 3, _REPEATED, _MESSAGE, ".kstream_test.Record"),
        ),
    ):
        message = file.message_type.add(name=name)
        for field, number, label, kind, type_name in fields:
            message.field.add(name=field, number=number, label=label, type=kind, type_name=type_name or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("kstream_test.AggregatedRecord"))


AggregatedRecord = _message_class()


def protobuf_reads(message: bytes) -> Any | None:
    """The message as protobuf's parser reads it; None if it does not, or if a required field is missing."""
    parsed = AggregatedRecord()
    try:
        parsed.ParseFromString(message)
    except DecodeError:
        return None
    return parsed if parsed.IsInitialized() else None


def text(value: str | bytes) -> str:
    """A string of proto2, which Python's parser leaves as bytes where it is not UTF-8, as kstream spells it."""
    return value if isinstance(value, str) else value.decode(errors="backslashreplace")


def verdict(message: bytes) -> str | list[tuple[Any, ...]]:
    """ "plain", "malformed", or key, explicit hash key, data and headers of each record, all by protobuf's parser."""
    parsed = protobuf_reads(message) if message else None
    if parsed is None:
        return "plain"
    keys, hash_keys = parsed.partition_key_table, parsed.explicit_hash_key_table
    found: list[tuple[Any, ...]] = []
    for record in parsed.records:
        hash_key = None
        if record.HasField("explicit_hash_key_index"):
            if record.explicit_hash_key_index >= len(hash_keys):
                return "malformed"
            hash_key = text(hash_keys[record.explicit_hash_key_index])
        if record.partition_key_index >= len(keys):
            return "malformed"
        headers = {text(tag.key): text(tag.value) for tag in record.tags}
        found.append((text(keys[record.partition_key_index]), hash_key, record.data, headers))
    return found


def import_peer() -> tuple[Any, Any]:
    """aws-kinesis-agg's aggregator and deaggregator, without what its import does to sys.path."""
    path = sys.path[:]
    try:
        from aws_kinesis_agg import aggregator, deaggregator
    finally:
        sys.path[:] = path
    return aggregator, deaggregator
