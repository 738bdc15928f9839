"""Places in a stream, as written on a command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kstream.cli.times import starting_position
from kstream.core.errors import ConfigurationError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("trim", "TRIM_HORIZON"),
        ("TRIM_HORIZON", "TRIM_HORIZON"),
        ("trim-horizon", "TRIM_HORIZON"),
        ("Latest", "LATEST"),
        ("90s", NOW - timedelta(seconds=90)),
        ("1.5h", NOW - timedelta(hours=1.5)),
        ("2d", NOW - timedelta(days=2)),
        ("2026-01-30T10:00:00+01:00", datetime(2026, 1, 30, 9, tzinfo=UTC)),
        ("2026-01-30T10:00Z", datetime(2026, 1, 30, 10, tzinfo=UTC)),
        ("2026-01-30 10:00", datetime(2026, 1, 30, 10).astimezone(UTC)),
    ],
)
def test_a_place_is_read(text: str, place: object) -> None:
    assert starting_position(text, now=NOW) == place


@pytest.mark.parametrize("text", ["", "yesterday", "10x", "-5m", "99999999999d", "2026-13-01", "AT_TIMESTAMP"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigurationError, match="give trim, latest, a time such as"):
        starting_position(text, now=NOW)
