"""What stands around the document: who may take which role, in which order it is made, and when it is deployed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploy.config import parse
from deploy.synthesis import stacks

if TYPE_CHECKING:
    from deploy.stacks import Stack


def api(**tables: Any) -> Stack:
    table: dict[str, Any] = {
        "name": "shop",
        "streams": {"orders": {}},
        "ingest": {"streams": {"orders": {"who": "iam"}}},
    }
    (found,) = (one for one in stacks(parse(table | tables)) if one.role == "ingest")
    return found


def private(**network: Any) -> Stack:
    ingest = {"streams": {"orders": {"who": "iam"}}, "private": True, "callers": ["sg-0aaaaaaaaaaaaaaaa"]}
    return api(network=network, ingest=ingest)


def deployments(stack: Stack) -> set[str]:
    return {key for key, one in stack.template["Resources"].items() if one["Type"] == "AWS::ApiGateway::Deployment"}


@pytest.mark.parametrize("role", ["Role", "LogRole"])
def test_api_gateway_takes_its_roles_under_no_condition_that_it_does_not_meet(role: str) -> None:
    """It names no source account when it takes a role: with such a condition every put would be answered by 500."""
    (statement,) = api().template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


def test_the_accounts_log_role_is_set_once_there_is_an_api_and_before_there_is_a_stage() -> None:
    resources = api().template["Resources"]
    assert resources["Account"]["DependsOn"] == ["Api"]
    assert resources["Stage"]["DependsOn"] == ["Account"]


def test_another_vpc_deploys_the_private_api_anew() -> None:
    """Its policy names the endpoint, which is another one then, and a stage has the policy of its deployment."""
    made = [
        private(),
        private(cidr="10.9.0.0/20"),
        private(vpc_id="vpc-0123456789abcdef0", subnet_ids=["subnet-0a1b2c3d"]),
    ]
    assert len(set[str]().union(*map(deployments, made))) == len(made)
    assert deployments(private(zones=3)) == deployments(private(zones=2))


@pytest.mark.parametrize(
    ("place", "ours"),
    [
        ({}, True),
        ({"region": "eu-west-1", "account": "123456789012"}, True),
        ({"region": "eu-west-2", "account": "123456789012"}, False),
        ({"region": "eu-west-1", "account": "210987654321"}, False),
    ],
)
def test_a_function_of_another_account_or_region_admits_api_gateway_itself(place: dict[str, Any], ours: bool) -> None:
    """Lambda lets a stack give permissions on functions of its own account and region alone."""
    door = {"who": "lambda", "function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:door"}
    made = api(ingest={"streams": {"orders": door}}, **place)
    kinds = [one["Type"] for one in made.template["Resources"].values()]
    assert ("AWS::Lambda::Permission" in kinds) is ours
