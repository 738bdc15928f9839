"""docker-compose.yml starts the LocalStack that the tests start without Docker: its image, and what it does the same way."""

from __future__ import annotations

from typing import Any

import yaml

from tests.docs.pages import ROOT
from tests.support.localstack.environment import VERSION
from tests.support.localstack.server import SETTINGS


def localstack() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["localstack"]
    return found


def test_it_is_the_same_release() -> None:
    assert localstack()["image"] == f"localstack/localstack:{VERSION}"


def test_whatever_decides_how_it_behaves_is_the_same() -> None:
    """How often it polls, how late Kinesis answers, how many shards there may be."""
    theirs = localstack()["environment"]

    assert {name: theirs.get(name) for name in SETTINGS} == SETTINGS
    decides = ("LAMBDA_EVENT_SOURCE_MAPPING_", "KINESIS_")
    assert {name for name in theirs if name.startswith(decides)} <= SETTINGS.keys()
