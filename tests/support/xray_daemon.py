"""In place of the X-Ray daemon: a UDP socket, and what X-Ray would say of the documents that it receives."""

from __future__ import annotations

import json
import re
import socket
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMA = Path(__file__).parents[1] / "golden" / "xray" / "xray-segmentdocument-schema-v1.0.0.json"
_HEADER = b'{"format":"json","version":1}'
_ID = re.compile(r"[0-9a-f]{16}")
_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


class Daemon:
    """Listens on ``address``. What was sent before ``documents`` is called is there: loopback delivers at once."""

    def __init__(self, received: socket.socket) -> None:
        self._socket = received
        self.address = f"127.0.0.1:{received.getsockname()[1]}"
        self._documents: list[dict[str, Any]] = []

    def documents(self) -> list[dict[str, Any]]:
        """All that came so far, each sound, in the order of their coming."""
        while True:
            try:
                datagram = self._socket.recv(65_536)
            except BlockingIOError:
                return list(self._documents)
            header, _, body = datagram.partition(b"\n")
            assert header == _HEADER
            self._documents.append(sound(body))


@contextmanager
def daemon() -> Iterator[Daemon]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as received:
        received.bind(("127.0.0.1", 0))
        received.setblocking(False)
        received.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        yield Daemon(received)


def sound(body: bytes) -> dict[str, Any]:
    """The document, if X-Ray would take it: by its schema, and by what the text beside the schema says."""
    assert len(body) <= 64_000
    document: dict[str, Any] = json.loads(body, parse_constant=_no_constant)
    _agree(_schema(), document)
    assert _TRACE_ID.fullmatch(document["trace_id"])
    if document.get("type") == "subsegment":
        assert _ID.fullmatch(document["parent_id"])
    _check(document)
    return document


def _check(entity: dict[str, Any]) -> None:
    _agree(_schema()["properties"]["name"], entity["name"])
    assert _ID.fullmatch(entity["id"])
    assert set(entity["id"]) != {"0"}
    if entity.get("in_progress"):
        assert "end_time" not in entity
    else:
        assert entity["end_time"] >= entity["start_time"]
    assert not any(key.startswith("AWS.") for key in entity.get("metadata", {}))
    assert len(entity.get("annotations", {})) <= 50
    for inner in entity.get("subsegments", []):
        _check(inner)


@cache
def _schema() -> Any:
    return json.loads(_SCHEMA.read_text())


def _agree(schema: Any, value: object) -> None:
    # In few words: the pattern of names alone would fill a page.
    faults = [
        f"{error.json_path}: not by {error.validator}"
        for error in jsonschema.Draft4Validator(schema).iter_errors(value)
    ]
    assert faults == []


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
