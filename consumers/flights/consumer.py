"""Adds up, for each carrier and day: flights, departures, and the minutes by which they left late.

kstream dev consumers/flights/consumer.py
"""

from pathlib import Path

from consumers.flights import sums
from consumers.flights.sums import CarrierDay
from kstream import Consumer, Handler, Record, Reject, on_lambda

SUMS = Path(".kstream", "flights.sqlite3")


class FlightDelays(Handler):
    """Keeps the sums in a SQLite file. A flight that leaves early is 0 minutes late; a cancelled one has no departure."""

    def __init__(self, path: Path = SUMS) -> None:
        self._path = path

    def open(self) -> None:
        self._connection = sums.open_for_writing(self._path)

    def process(self, record: Record) -> None:
        flight = record.json()
        if not flight.get("carrier"):
            raise Reject("the flight has no carrier")
        if flight["distance"] < 0:
            raise Reject("the distance is negative")
        day = f"{flight['year']}-{flight['month']:02}-{flight['day']:02}"
        departed = flight["dep_time"] is not None
        late = max(0, flight["dep_delay"]) if departed else 0
        sums.add(self._connection, CarrierDay(flight["carrier"], day), departed=departed, delay_minutes=late)

    def close(self) -> None:
        self._connection.close()


# Keyed by aircraft: one that fails does not hold up the others.
consumer = Consumer(FlightDelays, ordering="partition_key")
lambda_handler = on_lambda(consumer)
