"""Departures and delay minutes of flights, for each carrier and day: a consumer, and a demo that proves its sums."""
