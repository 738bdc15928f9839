"""The writes of one record, collected for one TransactWriteItems, within its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from kstream.core.errors import ConditionFailed, TransactionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

MOST_WRITES = 100
"""What DynamoDB takes in one TransactWriteItems, kstream's own markers included."""
MOST_BYTES = 4 * 1024 * 1024
"""The most that the items of one TransactWriteItems may take together."""

Kind = Literal["Put", "Update", "Delete", "ConditionCheck"]


class CollectedWrites:
    """Takes up to ``room`` writes until it is closed. Used by one thread."""

    def __init__(self, *, room: int) -> None:
        self._room = room
        self._bytes = 0
        self._writes: list[tuple[Kind, Mapping[str, Any], Exception | None]] = []
        self._open = True

    def add(self, kind: Kind, request: Mapping[str, Any], otherwise: Exception | None) -> None:
        """Takes a write in DynamoDB's own notation. Raises ``TransactionError`` if it is too much, or too late."""
        if not self._open:
            raise TransactionError("this transaction is over: do not keep it beyond process()")
        if len(self._writes) >= self._room:
            raise TransactionError(
                f"more than {self._room} writes for one record: DynamoDB takes {MOST_WRITES} in one transaction, and "
                f"kstream needs {MOST_WRITES - self._room} of them"
            )
        size = sum(_size(request.get(part, {})) for part in ("Item", "Key", "ExpressionAttributeValues"))
        if self._bytes + size > MOST_BYTES:
            raise TransactionError(
                f"the writes of one record come to {self._bytes + size:,} bytes: DynamoDB takes {MOST_BYTES:,} in one "
                "transaction"
            )
        self._bytes += size
        self._writes.append((kind, request, otherwise))

    def close(self) -> None:
        """Takes no more from now on."""
        self._open = False

    @property
    def requests(self) -> Sequence[TransactWriteItemTypeDef]:
        return [{kind: request} for kind, request, _ in self._writes]  # type: ignore[misc] # a key is one of four

    def failure(self, number: int) -> Exception:
        """What is raised if the condition of this write does not hold."""
        return self._writes[number][2] or ConditionFailed(f"{self.words(number)}: its condition does not hold")

    def words(self, number: int) -> str:
        """Names a write, by its key or the first attributes of its item."""
        kind, request, _ = self._writes[number]
        names = list((request.get("Key") or request.get("Item") or {}).items())[:2]
        what = ", ".join(f"{name}={next(iter(value.values()))!r:.80}" for name, value in names)
        return f"{kind} of {what} in the table {request['TableName']!r}"


def _size(value: Any) -> int:
    """About what DynamoDB counts for a value in its own notation, or for a map of names to such values."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes | bytearray):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(name) + _size(member) for name, member in value.items())
    if isinstance(value, list | tuple | set):
        return sum(map(_size, value))
    return 1
