"""Kinesis stream processing: in order, once, tested on your own machine.

Names are loaded when they are first used, so that ``import kstream`` costs next to nothing and a handler pays only for
what it uses: boto3, for one, is never imported by a consumer that does not name a store in AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kstream.lazy_names import lazy_names

if TYPE_CHECKING:
    from kstream.aws.dead_letters import KinesisDeadLetters as KinesisDeadLetters
    from kstream.aws.dead_letters import S3DeadLetters as S3DeadLetters
    from kstream.aws.dead_letters import SQSDeadLetters as SQSDeadLetters
    from kstream.aws.ledger import DynamoDBLedger as DynamoDBLedger
    from kstream.aws.transaction import DynamoDBTransaction as DynamoDBTransaction
    from kstream.core.breaker import CircuitBreaker as CircuitBreaker
    from kstream.core.consumer import Consumer as Consumer
    from kstream.core.dead_letter import DeadLetter as DeadLetter
    from kstream.core.errors import BatchUnfinished as BatchUnfinished
    from kstream.core.errors import ConditionFailed as ConditionFailed
    from kstream.core.errors import ConfigurationError as ConfigurationError
    from kstream.core.errors import DeadLetterError as DeadLetterError
    from kstream.core.errors import EventError as EventError
    from kstream.core.errors import KstreamError as KstreamError
    from kstream.core.errors import LedgerError as LedgerError
    from kstream.core.errors import Reject as Reject
    from kstream.core.errors import TransactionError as TransactionError
    from kstream.core.errors import UndecodableRecord as UndecodableRecord
    from kstream.core.handler import BatchHandler as BatchHandler
    from kstream.core.handler import Handler as Handler
    from kstream.core.handler import TransactionalHandler as TransactionalHandler
    from kstream.core.mapping import EventSourceMapping as EventSourceMapping
    from kstream.core.outcome import Outcome as Outcome
    from kstream.core.record import Position as Position
    from kstream.core.record import Record as Record
    from kstream.core.retry import Retry as Retry
    from kstream.core.telemetry import Telemetry as Telemetry
    from kstream.ingest.async_client import AsyncIngestClient as AsyncIngestClient
    from kstream.ingest.client import IngestClient as IngestClient
    from kstream.runtimes.aws_lambda import on_lambda as on_lambda
    from kstream.stores.directory import DirectoryDeadLetters as DirectoryDeadLetters
    from kstream.stores.memory import MemoryLedger as MemoryLedger
    from kstream.stores.postgres import PostgresLedger as PostgresLedger
    from kstream.stores.sql import SQLTransaction as SQLTransaction
    from kstream.stores.sqlite import SQLiteLedger as SQLiteLedger

__version__ = "0.1.0"

_HOMES = {
    "AsyncIngestClient": "kstream.ingest.async_client",
    "BatchHandler": "kstream.core.handler",
    "BatchUnfinished": "kstream.core.errors",
    "CircuitBreaker": "kstream.core.breaker",
    "ConditionFailed": "kstream.core.errors",
    "ConfigurationError": "kstream.core.errors",
    "Consumer": "kstream.core.consumer",
    "DeadLetter": "kstream.core.dead_letter",
    "DeadLetterError": "kstream.core.errors",
    "DirectoryDeadLetters": "kstream.stores.directory",
    "DynamoDBLedger": "kstream.aws.ledger",
    "DynamoDBTransaction": "kstream.aws.transaction",
    "EventError": "kstream.core.errors",
    "EventSourceMapping": "kstream.core.mapping",
    "Handler": "kstream.core.handler",
    "TransactionalHandler": "kstream.core.handler",
    "IngestClient": "kstream.ingest.client",
    "KinesisDeadLetters": "kstream.aws.dead_letters",
    "KstreamError": "kstream.core.errors",
    "LedgerError": "kstream.core.errors",
    "MemoryLedger": "kstream.stores.memory",
    "Outcome": "kstream.core.outcome",
    "Position": "kstream.core.record",
    "PostgresLedger": "kstream.stores.postgres",
    "SQLTransaction": "kstream.stores.sql",
    "Record": "kstream.core.record",
    "Reject": "kstream.core.errors",
    "Retry": "kstream.core.retry",
    "S3DeadLetters": "kstream.aws.dead_letters",
    "SQLiteLedger": "kstream.stores.sqlite",
    "SQSDeadLetters": "kstream.aws.dead_letters",
    "Telemetry": "kstream.core.telemetry",
    "TransactionError": "kstream.core.errors",
    "UndecodableRecord": "kstream.core.errors",
    "on_lambda": "kstream.runtimes.aws_lambda",
}

__all__ = ["__version__", *_HOMES]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
