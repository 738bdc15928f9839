"""One record's effects and its markers in one TransactWriteItems."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from kstream.aws.collected_writes import MOST_WRITES, CollectedWrites
from kstream.aws.failures import code_of, told_as
from kstream.aws.transaction import DynamoDBTransaction
from kstream.core.errors import LedgerError, TransactionError
from kstream.core.patience import ENDLESS
from kstream.core.timely import call_within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from kstream.aws.table_batches import Row
    from kstream.core.patience import Patience
    from kstream.core.ports import Clock
    from kstream.core.record import Position

_ATTEMPTS = 6
_PAUSE = 0.05  # seconds, doubled after each attempt: 1.55 in all
_NEEDS = (
    "dynamodb:PutItem on the ledger's table, and on the handler's tables PutItem, UpdateItem, DeleteItem and "
    "ConditionCheckItem as it uses them"
)
_REMEDIES = {
    "ResourceNotFoundException": "the ledger's table, or one that the handler writes to, does not exist: make it",
}
_FAILED = "ConditionalCheckFailed"
# Reasons for which DynamoDB cancels a transaction and which pass.
_PASSING = frozenset({"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"})


class TableTransaction:
    """Implements ``kstream.core.ports.Transaction`` for one record: DynamoDB takes no item twice in a transaction, and
    records that come together often change the same one.

    ``client``   gives the client.
    ``markers``  the items that mark a position and a key as done.
    ``patience`` how long a commit may take.
    ``check``    raises ``LedgerError`` if the ledger's own table is at fault.

    That a record is marked already shows when it commits: to look before would cost a request for each record.
    """

    def __init__(
        self,
        table: str,
        *,
        client: Callable[[], DynamoDBClient],
        markers: Callable[[Position, str | None], Sequence[Row]],
        check: Callable[[Position], object],
        clock: Clock,
        patience: Patience = ENDLESS,
    ) -> None:
        self._table = table
        self._client = client
        self._markers = markers
        self._check = check
        self._clock = clock
        self._patience = patience
        self._applied: tuple[Position, str | None, CollectedWrites] | None = None

    def apply(self, position: Position, key: str | None, effect: Callable[[Any], object]) -> bool:
        if self._applied is not None:
            raise LedgerError("a transaction of DynamoDBLedger holds one record, as its group_limit says")
        writes = CollectedWrites(room=MOST_WRITES - (1 if key is None else 2))
        try:
            effect(DynamoDBTransaction(writes))
        finally:
            writes.close()
        self._applied = position, key, writes
        return True

    def commit(self) -> Sequence[Position]:
        if self._applied is None:
            return ()
        applied, self._applied = self._applied, None
        try:
            return call_within(self._patience.seconds(), lambda: self._commit(*applied))
        except TimeoutError as error:
            raise LedgerError(f"cannot commit to the ledger table {self._table!r}: {error}") from error

    def rollback(self) -> None:
        self._applied = None

    def _commit(self, position: Position, key: str | None, writes: CollectedWrites) -> Sequence[Position]:
        markers = [self._marker(row) for row in self._markers(position, key)]
        passing: frozenset[str] = frozenset()
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._clock.sleep(_PAUSE * 2.0 ** (attempt - 1))
            reasons = self._send([*markers, *writes.requests], position)
            codes = [reason["Code"] for reason in reasons]
            if not codes:
                return ()
            if _FAILED in codes[: len(markers)]:
                return (position,)
            passing = _PASSING.intersection(codes)
            if not passing:
                raise self._refused(reasons, len(markers), position, writes)
            # Perhaps the same record, being done elsewhere at this moment: then its marker tells the next time.
        raise LedgerError(
            f"cannot commit to the ledger table {self._table!r}: DynamoDB cancelled the transaction {_ATTEMPTS} times "
            f"({', '.join(sorted(passing))}): other writers keep the same items busy, or a table needs more capacity"
        )

    def _marker(self, row: Row) -> TransactWriteItemTypeDef:
        return {
            "Put": {
                "TableName": self._table,
                "Item": row,
                # One that has expired and is not cleared away yet is as if it were not there.
                "ConditionExpression": "attribute_not_exists(#scope) OR #expires <= :now",
                "ExpressionAttributeNames": {"#scope": "scope", "#expires": "expires_at"},
                "ExpressionAttributeValues": {":now": {"N": str(int(self._clock.time()))}},
            }
        }

    def _send(self, writes: Sequence[TransactWriteItemTypeDef], position: Position) -> Sequence[dict[str, str]]:
        """Nothing if it was committed; else why it was cancelled, a reason for each write."""
        with told_as(
            LedgerError, f"cannot commit to the ledger table {self._table!r}", needs=_NEEDS, remedies=_REMEDIES
        ):
            from botocore.exceptions import ClientError, ParamValidationError

            client = self._client()
            try:
                # With the token, botocore's own retry after a lost answer does not do it twice.
                client.transact_write_items(TransactItems=writes, ClientRequestToken=str(uuid.uuid4()))
            except ParamValidationError as error:
                raise TransactionError(f"what the handler writes is no request to DynamoDB: {error}") from error
            except ClientError as error:
                code = code_of(error)
                if code == "ValidationException":
                    self._check(position)
                    raise TransactionError(f"DynamoDB does not take what the handler writes: {error}") from error
                reasons: Sequence[dict[str, str]] = error.response.get("CancellationReasons", ())  # type: ignore[assignment]
                if code != "TransactionCanceledException" or len(reasons) != len(writes):
                    raise
                return reasons
        return ()

    def _refused(
        self, reasons: Sequence[dict[str, str]], markers: int, position: Position, writes: CollectedWrites
    ) -> Exception:
        """Why DynamoDB will not take the transaction, now or later."""
        for number, reason in enumerate(reasons[markers:]):
            if reason["Code"] == _FAILED:
                return writes.failure(number)
        for number, reason in enumerate(reasons[markers:]):
            if reason["Code"] != "None":
                return TransactionError(
                    f"{writes.words(number)}: DynamoDB does not take it: {reason.get('Message', reason['Code'])}"
                )
        self._check(position)
        return LedgerError(f"cannot commit to the ledger table {self._table!r}: {[dict(reason) for reason in reasons]}")
