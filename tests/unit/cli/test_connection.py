"""A command works on what it was told, or on the pipeline that runs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kstream.cli.connection import Connection, connection
from kstream.cli.ingest_client import ingest_client
from kstream.core.errors import ConfigurationError
from kstream.local.dev_state import DevState, announce, only_one
from kstream.local.state_dir import StateDir

if TYPE_CHECKING:
    from pathlib import Path

DEV = DevState(1, 2, "http://127.0.0.1:1", "http://127.0.0.1:2", ("orders", "clicks"))


def where(
    state_dir: StateDir, stream: str | None = None, endpoint_url: str | None = None, region: str | None = None
) -> Connection:
    return connection(state_dir, stream=stream, endpoint_url=endpoint_url, region=region)


def client(path: Path, **changes: object) -> object:
    given: dict[str, object] = {
        "stream": None,
        "url": None,
        "headers": [],
        "direct": False,
        "endpoint_url": None,
        "region": None,
        "batch": 500,
        "in_flight": 1,
    }
    return ingest_client(StateDir(path), **{**given, **changes})  # type: ignore[arg-type]


def test_the_running_pipeline_is_the_default(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path)
    with only_one(state_dir):
        announce(state_dir, DEV)

        assert where(state_dir) == Connection("orders", DEV.endpoint_url, None)
        assert where(state_dir, "clicks") == Connection("clicks", DEV.endpoint_url, None)
        assert where(state_dir, "orders", "http://x:1") == Connection("orders", "http://x:1", None)
        assert where(state_dir, "orders", None, "eu-west-1") == Connection("orders", None, "eu-west-1")


def test_a_mistyped_stream_does_not_lead_to_aws(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path)
    only = "the running kstream dev has only orders, clicks, and no 'ordres'"
    with only_one(state_dir):
        announce(state_dir, DEV)

        with pytest.raises(ConfigurationError, match=only):
            where(state_dir, "ordres")
        with pytest.raises(ConfigurationError, match=only):
            client(tmp_path, stream="ordres")
        with pytest.raises(ConfigurationError, match=only):
            client(tmp_path, stream="ordres", direct=True)
        assert where(state_dir, "ordres", None, "eu-west-1") == Connection("ordres", None, "eu-west-1")


def test_without_a_pipeline_a_stream_must_be_named(tmp_path: Path) -> None:
    assert where(StateDir(tmp_path), "orders") == Connection("orders", None, None)
    with pytest.raises(ConfigurationError, match="no stream is named, and no kstream dev runs in"):
        where(StateDir(tmp_path))


def test_putting_needs_a_pipeline_or_an_address(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no --url is given, and no kstream dev runs in"):
        client(tmp_path, stream="orders")
    with pytest.raises(ConfigurationError, match="--url needs --stream"):
        client(tmp_path, url="http://127.0.0.1:2")
