"""A handler's side of a SQL transaction: the same for SQLite and PostgreSQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from kstream.core.errors import TransactionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAVEPOINT = "kstream_effect"
"""Stands in front of each record's effect. Names of savepoints are the handler's to choose, but for this one."""


class Rows(Protocol):
    """What a statement came to: iterate over it, or fetch."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class SQLTransaction(Protocol):
    """What ``TransactionalHandler[SQLTransaction].process`` receives: statements that commit together with the marker.

    Parameters are ``?`` or ``:name`` for SQLite, ``%s`` or ``%(name)s`` for PostgreSQL. What a statement raises is the
    database driver's; in PostgreSQL a failed statement spoils everything up to the last savepoint, so let it pass, or set
    a savepoint of your own before it. Valid until ``process`` returns. One statement at a time. One that would begin or
    end a transaction raises ``TransactionError``.
    """

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Rows: ...


# Both databases skip these; SQLite skips a byte order mark too. Possessive, so that no text takes long to refuse.
_GAP = r"(?:[\s\ufeff]|--[^\n]*|/\*.*?\*/)*+"
_FRONT = rf"(?:{_GAP};)*+{_GAP}"
_FLAGS = re.IGNORECASE | re.DOTALL | re.VERBOSE
_CONTROL = re.compile(
    rf"""{_FRONT}
    (?:begin|commit|end|abort|start|prepare{_GAP}transaction
    |rollback\b(?!{_GAP}(?:(?:work|transaction)\b{_GAP})?to\b) # to a savepoint is allowed
    )\b""",
    _FLAGS,
)
_OF_SAVEPOINTS = re.compile(rf"{_FRONT}(?:savepoint|release|rollback)\b", _FLAGS)


def refuse_control(statement: str) -> None:
    """Raises ``TransactionError`` for a statement that would end the transaction which is kstream's to end."""
    names_own = SAVEPOINT in statement.lower() and _OF_SAVEPOINTS.match(statement)
    if names_own or _CONTROL.match(statement):
        raise TransactionError(
            f"process() must leave its transaction open: {statement.strip()[:40]!r} is not its to run. It commits with the "
            "record's marker once process() has returned; raise, to undo it"
        )
