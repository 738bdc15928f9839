"""Adds up, for each carrier and day: flights, departures, and the minutes by which they left late. A record to try:

{"carrier": "UA", "year": 2013, "month": 1, "day": 1, "distance": 1400, "dep_time": 517, "dep_delay": 2}
"""

from pathlib import Path

from consumers.flights import sums
from consumers.flights.sums import CarrierDay
from kstream import Consumer, Record, Reject, SQLiteLedger, SQLTransaction, TransactionalHandler, on_lambda

SUMS = Path(".kstream", "flights.sqlite3")


class FlightDelays(TransactionalHandler[SQLTransaction]):
    """Keeps the sums in a SQLite file. A flight that leaves early is 0 minutes late; a cancelled one has no departure."""

    def __init__(self, path: Path = SUMS) -> None:
        self._path = path

    def open(self) -> None:
        sums.prepare(self._path)

    def process(self, record: Record, transaction: SQLTransaction) -> None:
        flight = record.json()
        if not flight.get("carrier"):
            raise Reject("the flight has no carrier")
        if flight["distance"] < 0:
            raise Reject("the distance is negative")
        day = f"{flight['year']}-{flight['month']:02}-{flight['day']:02}"
        departed = flight["dep_time"] is not None
        late = max(0, flight["dep_delay"]) if departed else 0
        sums.add(transaction, CarrierDay(flight["carrier"], day), departed=departed, delay_minutes=late)


# The ledger lives in the file of the sums, so that a flight's effect and "this flight is done" are one commit.
consumer = Consumer(FlightDelays, ordering="partition_key", ledger=SQLiteLedger(SUMS))
lambda_handler = on_lambda(consumer)
