"""The ledger and the dead letters of a consumer that names none, as the settings say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from kstream.core.consumer import Consumer
    from kstream.core.ports import DeadLetterSink, Ledger
    from kstream.settings import Settings


def with_defaults(consumer: Consumer, settings: Settings) -> Consumer:
    """The consumer, completed. What it names itself stays. Raises ``ConfigurationError`` for a setting that is wrong."""
    ledger, dead_letters = consumer.ledger, consumer.dead_letters
    if ledger is None and settings.ledger:
        ledger = ledger_of(settings.ledger)
    if dead_letters is None and settings.dead_letters:
        dead_letters = dead_letters_of(settings.dead_letters)
    if (ledger, dead_letters) == (consumer.ledger, consumer.dead_letters):
        return consumer
    return replace(consumer, ledger=ledger, dead_letters=dead_letters)


def ledger_of(setting: str) -> Ledger:
    """``sqlite:PATH`` or ``dynamodb:TABLE``."""
    kind, _, where = setting.partition(":")
    if where and kind == "sqlite":
        from kstream.stores.sqlite import SQLiteLedger

        return SQLiteLedger(where)
    if where and kind == "dynamodb":
        from kstream.aws.ledger import DynamoDBLedger

        return DynamoDBLedger(where)
    raise ConfigurationError(f"KSTREAM_LEDGER={setting!r}: give sqlite:PATH or dynamodb:TABLE")


def dead_letters_of(setting: str) -> DeadLetterSink:
    """``dir:PATH``, ``sqs:URL``, ``s3:BUCKET/PREFIX`` or ``kinesis:STREAM``."""
    kind, _, where = setting.partition(":")
    if where and kind == "dir":
        from kstream.stores.directory import DirectoryDeadLetters

        return DirectoryDeadLetters(where)
    if where and kind in ("sqs", "s3", "kinesis"):
        from kstream.aws import dead_letters

        if kind == "sqs":
            return dead_letters.SQSDeadLetters(where)
        if kind == "kinesis":
            return dead_letters.KinesisDeadLetters(where)
        bucket, _, prefix = where.partition("/")
        return dead_letters.S3DeadLetters(bucket, prefix)
    raise ConfigurationError(
        f"KSTREAM_DEAD_LETTERS={setting!r}: give dir:PATH, sqs:URL, s3:BUCKET/PREFIX or kinesis:STREAM"
    )
