"""The consumer of the flights for AWS: the same sums, in a DynamoDB table. The table is named in ``DELAYS_TABLE``.

The table has the partition key ``carrier`` and the sort key ``day``, both text. Each flight's sums and the ledger's mark
that it is done are one transaction, as in ``consumer.py``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kstream import Consumer, DynamoDBTransaction, Reject, TransactionalHandler, on_lambda

if TYPE_CHECKING:
    from kstream import Record

TABLE = "DELAYS_TABLE"


class FlightDelaysInTable(TransactionalHandler[DynamoDBTransaction]):
    """Adds each flight to the item of its carrier and day."""

    def open(self) -> None:
        self._table = os.environ[TABLE]

    def process(self, record: Record, transaction: DynamoDBTransaction) -> None:
        flight = record.json()
        if not flight.get("carrier"):
            raise Reject("the flight has no carrier")
        if flight["distance"] < 0:
            raise Reject("the distance is negative")
        departed = flight["dep_time"] is not None
        transaction.update(
            self._table,
            {"carrier": flight["carrier"], "day": f"{flight['year']}-{flight['month']:02}-{flight['day']:02}"},
            "ADD flights :one, departures :departed, delay_minutes :late",
            values={
                ":one": 1,
                ":departed": int(departed),
                ":late": max(0, flight["dep_delay"]) if departed else 0,
            },
        )


# The ledger is the table that KSTREAM_LEDGER names; it must be there, or there is no transaction.
consumer = Consumer(FlightDelaysInTable, name="FlightDelays", ordering="partition_key")
lambda_handler = on_lambda(consumer)
