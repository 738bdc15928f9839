"""The producer's side: all flights and the poison among them, through the ingest API, on a thread of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from consumers.flights.dataset import flights
from consumers.flights.poison import mixed_in
from kstream import IngestClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from consumers.flights.dataset import Flight
    from consumers.flights.poison import Poison, Put
    from kstream.ingest.results import BulkResult, Progress

_IN_FLIGHT = 2


class Stopped(Exception):
    """The demo ends before all is put."""


class Producing:
    """Puts from entering to leaving the context; leaving ends it early if it is not done.

    ``put``     records in the stream so far.
    ``done``    nothing more will be put.
    ``failures``  what was not put, in words, once done.
    """

    def __init__(
        self, url: str, stream: str, poison: Sequence[Poison], *, every: int, limit: int | None, archive: Path
    ) -> None:
        self.put = 0
        self._url = url
        self._stream = stream
        self._records = self._until_stopped(mixed_in(map(keyed, flights(limit, archive)), poison, every=every))
        self._result: BulkResult | None = None
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producer")

    @property
    def done(self) -> bool:
        """Raises what the producer raised, if it did not come to its end."""
        if self._error is not None:
            raise self._error
        return self._result is not None

    @property
    def failures(self) -> list[str]:
        failures = self._result.failures if self._result else ()
        return [f"record {failure.index}: {failure.error}" for failure in failures]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with IngestClient(self._url, stream=self._stream, max_in_flight=_IN_FLIGHT) as client:
                self._result = client.put_all(self._records, progress=self._note)
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks whether it is done
            self._error = error

    def _note(self, progress: Progress) -> None:
        self.put = progress.put

    def _until_stopped(self, records: Iterator[Put]) -> Iterator[Put]:
        for record in records:
            if self._stop.is_set():
                raise Stopped
            yield record


def keyed(flight: Flight) -> Put:
    """The flight, with its aircraft as the partition key; one whose aircraft is not known goes by its number.

    That makes 4,917 keys, which spread well over the shards. The 16 carriers would not.
    """
    return flight, str(flight["tailnum"] or f"{flight['carrier']}-{flight['flight']}")
