"""The list of IAM's actions that a rule goes by."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from deploy.config.services import ENDPOINTS
from deploy.lint.actions import known
from deploy.permissions import (
    LEDGER,
    LETTERS_TO_BUCKET,
    LETTERS_TO_QUEUE,
    LETTERS_TO_STREAM,
    POLL_DYNAMODB,
    POLL_FAN_OUT,
    POLL_KINESIS,
    POLL_SQS,
)


def test_everything_in_it_is_known_to_cfn_lint_too() -> None:
    listed = json.loads(files("cfnlint").joinpath("data/AdditionalSpecs/Policies.json").read_text("utf-8"))
    for service, actions in known().items():
        assert {action.casefold() for action in actions} <= set(listed[service]["Actions"]), service


@pytest.mark.parametrize("service", ["dynamodb", "kinesis", "s3", "sqs"])
def test_what_kstream_itself_is_allowed_is_in_it(service: str) -> None:
    own = {
        *LEDGER, *LETTERS_TO_BUCKET, *LETTERS_TO_QUEUE, *LETTERS_TO_STREAM, *POLL_DYNAMODB, *POLL_FAN_OUT, *POLL_KINESIS,
        *POLL_SQS,
    }  # fmt: skip
    names = {action.partition(":")[2] for action in own if action.startswith(f"{service}:")}
    assert names
    assert names <= set(known()[service])


def test_every_service_with_an_endpoint_is_a_service_to_iam() -> None:
    assert ENDPOINTS.keys() <= known().keys()
