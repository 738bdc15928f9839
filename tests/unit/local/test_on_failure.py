"""On-failure messages in a file: whole lines, on the disk, or an error."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from kstream.core.errors import KstreamError
from kstream.local.on_failure import OnFailureFile

if TYPE_CHECKING:
    from pathlib import Path


def test_messages_are_appended_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "on-failure" / "orders.jsonl"

    OnFailureFile(path)({"n": 1})
    OnFailureFile(path)({"n": 2, "text": "line\nbreak"})

    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"n": 1}, {"n": 2, "text": "line\nbreak"}]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_message_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(KstreamError, match="cannot append to the on-failure file"):
        OnFailureFile(tmp_path / "file" / "orders.jsonl")({})


def test_half_a_line_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes a part of a line; the next message must not end up behind it."""
    path = tmp_path / "orders.jsonl"
    destination = OnFailureFile(path)
    destination({"n": 1})
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
        with pytest.raises(KstreamError, match="No space left"):
            destination({"n": 2})
    destination({"n": 3})

    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"n": 1}, {"n": 3}]
