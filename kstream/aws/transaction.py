"""A handler's side of a DynamoDB transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.errors import TransactionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kstream.aws.collected_writes import CollectedWrites, Kind


class DynamoDBTransaction:
    """What ``TransactionalHandler[DynamoDBTransaction].process`` receives: writes that are made with the marker.

    Nothing is written before ``process`` has returned: then one TransactWriteItems makes all of the record's writes and
    its marker, or none. So no write can be read back in ``process``, and no item may be written twice.

    ``table``      a name or an ARN, in the account and region of the ledger's table.
    ``item``, ``key``, ``values``  plain Python values, as boto3's table resource takes them: str, int, Decimal, bytes,
                   bool, None, list, dict, set. No float: its rounding is not DynamoDB's.
    ``names``, ``values``  what ``#name`` and ``:value`` stand for in the expressions, each with its sign.
    ``condition``  an expression. If it does not hold, nothing of the record is written, and ``otherwise`` counts as
                   raised by ``process``: a ``Reject`` for a record that can never succeed; if there is none,
                   ``ConditionFailed``, which is retried.

    At most 100 writes with kstream's own (one, and one more for an idempotency key) and 4 MB. Valid until ``process``
    returns. Raises ``TransactionError``.
    """

    def __init__(self, writes: CollectedWrites) -> None:
        self._writes = writes

    def put(
        self,
        table: str,
        item: Mapping[str, Any],
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        otherwise: Exception | None = None,
    ) -> None:
        """Writes an item, in place of one with the same key."""
        self._add("Put", {"TableName": table, "Item": _low_level(item)}, condition, names, values, otherwise)

    def update(
        self,
        table: str,
        key: Mapping[str, Any],
        expression: str,
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        otherwise: Exception | None = None,
    ) -> None:
        """Changes an item, or makes it, as ``expression`` says: ``"ADD total :amount"``."""
        request = {"TableName": table, "Key": _low_level(key), "UpdateExpression": expression}
        self._add("Update", request, condition, names, values, otherwise)

    def delete(
        self,
        table: str,
        key: Mapping[str, Any],
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        otherwise: Exception | None = None,
    ) -> None:
        """Deletes an item. It need not exist."""
        self._add("Delete", {"TableName": table, "Key": _low_level(key)}, condition, names, values, otherwise)

    def check(
        self,
        table: str,
        key: Mapping[str, Any],
        condition: str,
        *,
        names: Mapping[str, str] | None = None,
        values: Mapping[str, Any] | None = None,
        otherwise: Exception | None = None,
    ) -> None:
        """Demands something of an item that this record does not write."""
        self._add("ConditionCheck", {"TableName": table, "Key": _low_level(key)}, condition, names, values, otherwise)

    def _add(
        self,
        kind: Kind,
        request: dict[str, Any],
        condition: str | None,
        names: Mapping[str, str] | None,
        values: Mapping[str, Any] | None,
        otherwise: Exception | None,
    ) -> None:
        if condition is not None:
            request["ConditionExpression"] = condition
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        if values:
            request["ExpressionAttributeValues"] = _low_level(values)
        self._writes.add(kind, request, otherwise)


def _low_level(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values in DynamoDB's notation. Raises ``TransactionError`` for what it cannot hold."""
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    low_level: dict[str, Any] = {}
    for name, value in values.items():
        try:
            low_level[name] = serialize(value)
        except (TypeError, ArithmeticError) as error:  # ArithmeticError: more than the 38 digits of its numbers
            raise TransactionError(
                f"DynamoDB cannot hold {name}={value!r:.80}: {str(error) or type(error).__name__}"
            ) from error
    return low_level
