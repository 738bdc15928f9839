"""Headers from the command line; secrets never appear in errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kstream.cli.headers import header_setter
from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def test_headers_come_from_the_line_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("Authorization: Bearer a:b\n\nX-Two: 2\n")
    headers = {"content-type": "application/json"}

    setter = header_setter(["X-One: 1", f"@{tmp_path / 'secret'}"])
    assert setter is not None
    setter(headers)

    assert headers == {
        "content-type": "application/json",
        "x-one": "1",
        "authorization": "Bearer a:b",
        "x-two": "2",
    }


def test_without_headers_there_is_nothing_to_set() -> None:
    assert header_setter([]) is None


@pytest.mark.parametrize("given", ["s3cret", ":s3cret"])
def test_a_wrong_header_is_not_repeated(given: str) -> None:
    with pytest.raises(ConfigurationError, match="Name: value") as caught:
        header_setter([given])
    assert "s3cret" not in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match="cannot read the headers in /nowhere"):
        header_setter(["@/nowhere"])
