"""What no emulator does: refuse, throttle, and leave items undone. botocore's own stub answers for the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from kstream.aws.ledger import DynamoDBLedger
from kstream.core.errors import LedgerError
from kstream.core.ports import Scope
from kstream.testing.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPE = Scope("totals", "arn", "shardId-000000000000")
APART = {n << 100: 1 for n in range(3)}
"""Positions that need an item each."""


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("dynamodb", region_name="eu-west-1", config=Config(retries={"total_max_attempts": 1}))
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def ledger(stub: Stubber) -> DynamoDBLedger:
    return DynamoDBLedger("ledger", client=stub.client, clock=VirtualClock())


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "allow dynamodb:Query"),
        ("ThrottlingException", "it throttles.*more capacity"),
        ("ProvisionedThroughputExceededException", "it throttles.*more capacity"),
        ("InternalServerError", "InternalServerError"),
    ],
)
def test_an_error_names_the_table_and_the_remedy(ledger: DynamoDBLedger, stub: Stubber, code: str, remedy: str) -> None:
    stub.add_client_error("query", code, "as AWS says it")
    with pytest.raises(LedgerError, match=f"cannot read the ledger table 'ledger'.*as AWS says it.*{remedy}|{remedy}"):
        ledger.load(SCOPE, 0, 9)
    stub.add_client_error("put_item", code, "as AWS says it")
    with pytest.raises(LedgerError, match=r"cannot write the ledger table 'ledger'.*as AWS says it"):
        ledger.save(SCOPE, {1: 1})


def test_what_a_write_leaves_is_written_again(ledger: DynamoDBLedger, stub: Stubber) -> None:
    left = {"ledger": [{"PutRequest": {"Item": {"scope": {"S": "rest"}}}}]}
    stub.add_response("batch_write_item", {"UnprocessedItems": left}, {"RequestItems": ANY})
    stub.add_response("batch_write_item", {}, {"RequestItems": left})
    ledger.save(SCOPE, APART)


def test_what_a_read_leaves_is_read_again(ledger: DynamoDBLedger, stub: Stubber) -> None:
    left: dict[str, Any] = {"ledger": {"Keys": [{"scope": {"S": "rest"}}], "ConsistentRead": True}}
    stub.add_response("batch_get_item", {"Responses": {"ledger": []}, "UnprocessedKeys": left}, {"RequestItems": ANY})
    stub.add_response("batch_get_item", {"Responses": {"ledger": []}}, {"RequestItems": left})
    assert not ledger.load_keys(SCOPE, ["key"])


def test_a_table_that_goes_on_leaving_items_is_an_error(stub: Stubber) -> None:
    """Bounded: a batch has a deadline, and goes on without its ledger."""
    clock = VirtualClock()
    left = {"ledger": [{"PutRequest": {"Item": {"scope": {"S": "rest"}}}}]}
    for _ in range(5):
        stub.add_response("batch_write_item", {"UnprocessedItems": left}, {"RequestItems": ANY})
    with pytest.raises(LedgerError, match=r"'ledger'.*throttles"):
        DynamoDBLedger("ledger", client=stub.client, clock=clock).save(SCOPE, APART)
    assert clock.monotonic() < 1
