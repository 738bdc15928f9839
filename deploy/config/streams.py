"""Streams, buckets and tables: what holds data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.config import names
from deploy.config.fields import Complaint, Table, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Table):
    """A Kinesis stream. It outlives its stack."""

    physical_name: str | None = setting(
        None,
        doc="The stream's own name; by default the table's, with the environment's behind it",
        pattern=names.STREAM,
    )
    mode: str = setting("on-demand", doc="How capacity is provided", choices=("on-demand", "provisioned"))
    shards: int | None = setting(None, doc="Shards of a provisioned stream", low=1, high=10_000)
    retention_hours: int = setting(24, doc="How long records stay", low=24, high=8760)
    record_size_kib: int = setting(1024, doc="The largest record, with its partition key", low=1024, high=10240)
    kms_key: str = setting(
        "aws",
        doc="A KMS key's ARN, or 'aws' for Amazon's own key",
        pattern=names.KMS_KEY,
        example="aws",
    )
    aggregated: bool = setting(False, doc="Whether producers put KPL aggregates")
    fan_out: tuple[str, ...] = setting(
        (), doc="Names of enhanced fan-out consumers for readers outside of this file", pattern=names.FAN_OUT
    )

    def complaints(self) -> Iterator[Complaint]:
        if self.mode == "provisioned" and self.shards is None:
            yield "shards", "is missing: a provisioned stream has a number of them, for example shards = 2"
        if self.mode == "on-demand" and self.shards is not None:
            yield "shards", "is for mode = 'provisioned'; an on-demand stream finds its own number"

    @property
    def customer_key(self) -> str | None:
        """The ARN of a key of the user's own."""
        return None if self.kms_key == "aws" else self.kms_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket(Table):
    """An S3 bucket for what consumers write. It outlives its stack."""

    physical_name: str | None = setting(
        None, doc="The bucket's own name; by default made of pipeline, table, account and region", pattern=names.BUCKET
    )
    expire_days: int | None = setting(None, doc="Objects are deleted after so many days", low=1, high=36_500)
    versioned: bool = setting(True, doc="Keep what is overwritten, for 30 days")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTable(Table):
    """A DynamoDB table for what consumers write, paid by request. It outlives its stack."""

    physical_name: str | None = setting(
        None, doc="The table's own name; by default the pipeline's with this one's", pattern=names.TABLE
    )
    partition_key: str = setting(
        doc="The attribute that items are spread by", pattern=names.ATTRIBUTE, example="carrier"
    )
    sort_key: str | None = setting(
        None, doc="The attribute that items of one partition are sorted by", pattern=names.ATTRIBUTE
    )
    partition_key_type: str = setting("S", doc="S for text, N for a number, B for bytes", choices=("S", "N", "B"))
    sort_key_type: str = setting("S", doc="S for text, N for a number, B for bytes", choices=("S", "N", "B"))
    expires_attribute: str | None = setting(
        None, doc="The attribute with the time at which an item expires", pattern=names.ATTRIBUTE
    )

    def complaints(self) -> Iterator[Complaint]:
        if self.sort_key == self.partition_key:
            yield "sort_key", "is the partition key"

    def idle(self) -> Iterator[Complaint]:
        if self.sort_key is None:
            yield "sort_key_type", "there is no sort_key"
