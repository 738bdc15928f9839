"""LocalStack without Docker, for tests and for ``make localstack``: docs/decisions says how and why."""

from __future__ import annotations

from tests.support.localstack.server import LocalStack
from tests.support.localstack.sharing import shared_localstack

__all__ = ["LocalStack", "shared_localstack"]
