"""A handler's side of a SQL transaction: the same for SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Rows(Protocol):
    """What a statement came to: iterate over it, or fetch."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class SQLTransaction(Protocol):
    """What ``TransactionalHandler[SQLTransaction].process`` receives: statements that commit together with the marker.

    Parameters are ``?`` or ``:name`` for SQLite, ``%s`` or ``%(name)s`` for PostgreSQL. It is valid until ``process``
    returns. Do not begin, commit or roll back in it.
    """

    def execute(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Rows: ...
