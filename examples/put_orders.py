"""Puts orders through the ingest API.

With ``kstream dev examples/order_totals.py`` running::

    python examples/put_orders.py http://127.0.0.1:8080

for the address that it printed. The exit code is 1 if an order could not be put.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kstream import IngestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = "order-totals"


def orders(count: int) -> Iterator[tuple[dict[str, Any], str]]:
    """Each with its partition key: the customer, so that a customer's orders stay in order."""
    for number in range(count):
        customer = f"c-{number % 10}"
        yield {"customer": customer, "amount": 1 + number % 50}, customer


def main(url: str) -> int:
    with IngestClient(url, stream=STREAM, max_in_flight=2) as api:
        result = api.put_all(orders(2_000))
    print(f"{result.put:,} orders put, {len(result.failures)} failed, {result.retried} sent again")  # noqa: T201
    for failure in result.failures[:3]:
        print(f"order {failure.index}: {failure.error}", file=sys.stderr)  # noqa: T201
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"))
