"""Writes orders into a SQLite table, a batch in one call: for a sink that takes many records at once.

With ``kstream dev examples/order_totals.py`` running, a second consumer of the same stream::

    kstream consume examples/order_table.py --stream order-totals

Each row has the record's id as its key, so an order that is delivered again after a crash is the same row.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from kstream import BatchHandler, Consumer, UndecodableRecord, on_lambda

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream import Record

_TABLE = "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT, amount REAL)"
_ADD = "INSERT OR IGNORE INTO orders VALUES (?, ?, ?)"


class OrderTable(BatchHandler):
    """One transaction a batch. What cannot be read is answered as failed, alone; the others are stored."""

    def __init__(self, path: str = "orders.sqlite") -> None:
        self._path = path

    def open(self) -> None:
        self._orders = sqlite3.connect(self._path)
        self._orders.execute(_TABLE)

    def close(self) -> None:
        self._orders.close()

    def process(self, records: Sequence[Record]) -> list[Record]:
        rows, failed = [], []
        for record in records:
            try:
                order = record.json()
                rows.append((record.id, order["customer"], order["amount"]))
            except (UndecodableRecord, LookupError, TypeError):
                failed.append(record)
        with self._orders:
            self._orders.executemany(_ADD, rows)
        return failed


consumer = Consumer(OrderTable, ordering="none")
lambda_handler = on_lambda(consumer)
