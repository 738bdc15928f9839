"""schemathesis calls the local gateway as its published document says, and otherwise; and believes every word of it.

One check is left out: that an unknown method is 405. API Gateway answers it as an unknown path, and so 404 is promised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import unsupported_method

from kstream.ingest.api import IngestApi, IngestStream, Unlocked
from kstream.ingest.engine.authorization import everyone
from kstream.ingest.gateway import Gateway
from kstream.ingest.openapi import deployed, published
from kstream.ingest.server import GatewayServer
from tests.support.ingest import MemoryStreams

if TYPE_CHECKING:
    from collections.abc import Iterator

API = IngestApi(
    streams=(
        IngestStream(name="orders", locks=(Unlocked(),)),
        IngestStream(name="returns", locks=(Unlocked(),), key_required=True),
        IngestStream(name="traced", locks=(Unlocked(),), envelope=True),
    )
)
load_all_checks()
# It draws by a seed of its own; the same in every run, unless the run is to search (tests/conftest.py).
SEED = 0 if settings.default and settings.default.derandomize else None
schema = schemathesis.openapi.from_dict(published(API), config=SchemathesisConfig(seed=SEED))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with GatewayServer(Gateway(deployed(API), MemoryStreams(), authorize=everyone)) as server:
        yield server.url


@schema.parametrize()
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_the_gateway_keeps_its_published_word(case: schemathesis.Case, url: str) -> None:
    case.call_and_validate(base_url=url, excluded_checks=[unsupported_method], timeout=60)
