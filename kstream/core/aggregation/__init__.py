"""The KPL's aggregation format: many user records in one Kinesis record.

``F3 89 9A C2 | protobuf AggregatedRecord | MD5 of the protobuf``, with, in proto2::

    AggregatedRecord { repeated string partition_key_table = 1; repeated string explicit_hash_key_table = 2;
                       repeated Record records = 3; }
    Record           { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
                       required bytes data = 3; repeated Tag tags = 4; }
    Tag              { required string key = 1; optional string value = 2; }

Source: aggregation-format.md and messages.proto of awslabs/amazon-kinesis-producer. Why this is not protobuf's own
parser, and what was measured: docs/decisions/0002-own-codec.md.
"""

from kstream.core.aggregation.reading import Aggregate, Malformed, parse
from kstream.core.aggregation.sub_record import SubRecord
from kstream.core.aggregation.writing import Aggregator, OuterRecord, UserRecord, aggregate
from kstream.core.record import AGGREGATE_PREFIX

__all__ = [
    "AGGREGATE_PREFIX",
    "Aggregate",
    "Malformed",
    "SubRecord",
    "parse",
    "Aggregator",
    "OuterRecord",
    "UserRecord",
    "aggregate",
]
