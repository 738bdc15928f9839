"""The data set is read as it is: numbers as numbers, text as text, what is not known as None."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from consumers.flights.dataset import flights
from kstream import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_flight_has_its_columns_typed(archive: Path) -> None:
    first = next(flights(archive=archive))
    assert (first["year"], first["dep_time"], first["carrier"], first["tailnum"]) == (2013, 517, "UA", "N14228")
    assert first["time_hour"] == "2013-01-01T10:00:00Z"


def test_what_is_not_known_is_none(archive: Path) -> None:
    cancelled = list(flights(archive=archive))[3]
    assert cancelled["dep_time"] is None
    assert cancelled["dep_delay"] is None


@pytest.mark.parametrize(("limit", "count"), [(None, 5), (2, 2), (100, 5)])
def test_the_limit_takes_the_first(archive: Path, limit: int | None, count: int) -> None:
    assert len(list(flights(limit, archive))) == count


def test_without_the_archive_the_error_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make demo"):
        next(flights(archive=tmp_path / "none.tar.gz"))


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz"):
        pass
    with pytest.raises(ConfigurationError, match="is not the data set"):
        next(flights(archive=tmp_path / "other.tar.gz"))
    (tmp_path / "text.tar.gz").write_text("no archive at all")
    with pytest.raises(ConfigurationError, match="is not the data set"):
        next(flights(archive=tmp_path / "text.tar.gz"))
