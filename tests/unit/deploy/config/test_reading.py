"""What is wrong with a configuration is said with its place, what is allowed, and the nearest right name."""

from __future__ import annotations

import copy
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.config import InvalidConfiguration, parse
from tests.support.pipelines import pipelines

if TYPE_CHECKING:
    from deploy.config import Problem

SMALL: dict[str, Any] = {
    "name": "shop",
    "streams": {"orders": {}},
    "consumers": {"totals": {"stream": "orders", "handler": "app.totals.lambda_handler"}},
}


TOLD = {"stream": "orders", "actions": ["kinesis:PutRecord"], "variable": "QUEUE"}
AGAIN = {**TOLD, "actions": ["kinesis:PutRecords"]}
EXISTING: dict[str, Any] = {"vpc_id": "vpc-0123456789abcdef0", "subnet_ids": ["subnet-0123456789abcdef0"]}
OPEN = {"streams": {"orders": {"who": "iam"}}}


def problems(**changes: Any) -> list[Problem]:
    """Of the small configuration with these settings; a path has ``__`` for its dots and ``-`` as it is."""
    table = copy.deepcopy(SMALL)
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = table
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return told(table)


def told(table: dict[str, Any]) -> list[Problem]:
    try:
        parse(table)
    except InvalidConfiguration as error:
        return list(error.problems)
    return []


def test_the_small_configuration_is_valid() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("strems", {}, ["no such setting", "did you mean 'streams'?", "Allowed: name, region"]),
        ("name", "Shop", ["is 'Shop'", "for example orders"]),
        ("name", 7, ["is 7; it is text"]),
        ("region", "Ireland", ["for example eu-west-1"]),
        ("streams__orders__retention_hours", 23, ["is 23; allowed is 24 to 8,760"]),
        ("streams__orders__retention_hours", "24", ["is '24'; it is a whole number 24 to 8,760"]),
        ("streams__orders__retention_hours", True, ["is True; it is a whole number"]),
        ("streams__orders__mode", "ondemand", ["is one of on-demand, provisioned", "did you mean 'on-demand'"]),
        ("streams__orders__mode", "provisioned", ["shards", "for example shards = 2"]),
        ("streams__orders__shards", 2, ["an on-demand stream finds its own number"]),
        ("streams__orders__kms_key", "my-key", ["'aws' for Amazon's own key"]),
        ("streams__orders__fan_out", "reader", ["it is a list"]),
        ("streams__Orders", {}, ["is no name that can stand here"]),
        ("streams", ["orders"], ["it is a table"]),
        ("consumers__totals__stream", "order", ["which this file does not define; did you mean 'orders'?"]),
        ("consumers__totals__handler", "app", ["for example consumers.archive.consumer.lambda_handler"]),
        ("consumers__totals__queue_arn", "arn:aws:sqs:eu-west-1:123456789012:q", ["stream and queue_arn", "exactly one"]),
        ("consumers__totals__memory_mb", 64, ["is 64; allowed is 128 to 10,240"]),
        ("consumers__totals__log_retention_days", 31, ["it is one of 1, 3, 5, 7, 14, 30"]),
        ("consumers__totals__runtime", "python3.9", ["it is one of python3.11"]),
        ("consumers__totals__vpc", True, ["needs a [network]"]),
        ("consumers__totals__environment", {"KSTREAM_LEDGER": "x"}, ["is set by deploy"]),
        ("consumers__totals__environment", {"KSTREAM_TRACING": "x"}, ["say it with tracing"]),
        ("consumers__totals__environment", {"KSTREAM_NAMESPACE": "x"}, ["would hide the metrics from the alarms"]),
        ("consumers__totals__environment", {"AWS_REGION": "x"}, ["Lambda keeps for itself"]),
        ("consumers__totals__uses", [TOLD, AGAIN], ["two settings give the same environment variable"]),
        ("consumers__totals__uses", [{**TOLD, "variable": "KSTREAM_METRICS"}], ["the same environment variable"]),
        ("consumers__totals__dead_letters", "stream:orders", ["would be read again, for ever"]),
        ("consumers__totals__dead_letters", "bucket:archive", ["does not define"]),
        ("consumers__totals__mapping", {"batch_sise": 5}, ["did you mean 'batch_size'?"]),
        ("consumers__totals__mapping", {"batch_size": 0}, ["is 0; allowed is 1 to 10,000"]),
        ("consumers__totals__mapping", {"maximum_record_age": 30}, ["-1, or 60 to 604,800"]),
        ("consumers__totals__mapping", {"tumbling_window": 5, "parallelization_factor": 2}, ["KS003"]),
        ("consumers__totals__mapping", {"starting_position": "LATST"}, ["did you mean 'LATEST'"]),
        ("consumers__totals__mapping", {"maximum_concurrency": 5}, ["is for queues"]),
        ("consumers__totals__mapping", {"on_failure": "arn:aws:lambda:eu-west-1:1:f"}, ["topic or bucket"]),
        ("consumers__totals__uses", [{"actions": ["s3:*"], "arns": ["arn:aws:s3:::b/*"]}], ["IAM actions by name"]),
        ("consumers__totals__uses", [{"actions": ["s3:GetObject"], "arns": ["*"]}], ["ARNs without wildcards"]),
        ("consumers__totals__uses", [{"actions": ["s3:GetObject"], "arns": ["arn:aws:s3:::b?"]}], ["without wildcards"]),
        ("consumers__totals__uses", [{"actions": ["s3:GetObject"], "bucket": "a", "prefix": "${x}/"}],
         ["prefix: is '${x}/'", "blanks and"]),
        ("consumers__totals__dead_letters", "bucket:archive/${x}", ["as this file has them"]),
        ("consumers__totals__uses", [{"actions": ["s3:GetObject"]}], ["exactly one of bucket, table, stream and arns"]),
        ("network", {"cidr": "8.8.8.0/24"}, ["which is not private"]),
        ("network", {"cidr": "10.0.0.0/28", "zones": 3}, ["too small for 3 subnets", "take a /26 or larger"]),
        ("network", {"vpc_id": "vpc-0123456789abcdef0"}, ["name the subnets"]),
        ("network", {"subnet_ids": ["subnet-0123456789abcdef0"]}, ["belong to an existing VPC"]),
        ("ingest", {"streams": {"orders": {}}}, ["name who may put", "KS010"]),
        ("ingest", {"streams": {"orders": {"who": "jwt"}}}, ["who = 'jwt' needs it"]),
        ("ingest", {"streams": {"orders": {"who": "iam", "issuer": "https://x"}}}, ["goes with who = 'jwt'"]),
        ("ingest", {"streams": {"orders": {"who": "iam", "scopes": ["a"]}}}, ["goes with who = 'jwt' or 'cognito'"]),
        ("ingest", {"streams": {"orders": {"who": "jwt", "scopes": ["a b"]}}}, ["scopes[0]: is 'a b'"]),
        ("ingest", {"streams": {"orders": {"who": "iam", "cors_origins": ["*", "https://x"]}}}, ["is every origin"]),
        ("ingest", {"streams": {}}, ["at least 1"]),
        ("ingest", {"streams": {"orders": {"who": "iam"}}, "private": True}, ["callers: is missing"]),
        ("ingest", {**OPEN, "private": True, "callers": ["sg-0123456789abcdef0"]}, ["needs a [network]"]),
        ("monitoring", {"datapoints": 9}, ["more than periods"]),
        ("name", "x" * 21, ["small letters and digits", "up to 20 characters"]),
        ("region", "Ireland", ["small letters and a number"]),
        ("tables", {"a": {"partition_key": "k", "physical_name": "a b"}}, ["3 to 255 letters, digits and _.-"]),
        ("tables", {"totals-ledger": {"partition_key": "k"}}, ["'shop-totals-ledger'", "ledger of consumers.totals"]),
        ("tables", {k: {"partition_key": "k", "physical_name": "abc"} for k in "ab"}, ["tables.a", "another"]),
        ("buckets", {k: {"physical_name": "abc"} for k in "ab"}, ["is called as buckets.a is"]),
        ("buckets", {"a": {"physical_name": "a..b"}}, ["single dots"]),
        ("streams__" + "x" * 101, {}, ["up to 100 characters"]),
        ("streams__orders__fan_out", [f"r{number}" for number in range(51)], ["51 registered readers", "takes 50"]),
        ("streams__orders", {"mode": "provisioned", "shards": 1, "fan_out": [f"r{number}" for number in range(21)]},
         ["21 registered readers", "takes 20"]),
        ("streams__orders__fan_out", ["a", "a"], ["fan_out[1]: is 'a', which stands there already"]),
        ("tags", {"team": "t" * 257}, ["1 to 256 letters"]),
        ("tags", {"kstream:pipeline": "x"}, ["is no name that can stand here"]),
        ("tags", {"Aws:x": "x"}, ["is no name that can stand here"]),
        ("tags", {"kstream-pipeline": "x"}, ["is no name that can stand here"]),
        ("accept", {"KS008": " "}, ["the reason, in words"]),
        ("consumers__totals__environment", {"A": "x"}, ["two or more letters"]),
        ("consumers__totals__uses", [{**TOLD, "variable": "_X"}], ["a letter first"]),
        ("consumers__totals__uses", [{**TOLD, "variable": "AWS_REGION"}], ["Lambda keeps for itself"]),
        ("consumers__totals__uses", [{"actions": ["s3:GetObject", "sqs:SendMessage"], "arns": ["arn:aws:s3:::b"]}],
         ["actions of s3 and sqs", "one service each"]),
        ("consumers__totals", {"stream": "orders", "handler": "a.b", "ledger": "none", "ledger_ttl_hours": 5},
         ["changes nothing: ledger is 'none'"]),
        ("tables", {"a": {"partition_key": "k", "sort_key_type": "N"}}, ["changes nothing: there is no sort_key"]),
        ("network", {**EXISTING, "zones": 3}, ["network.zones: changes nothing"]),
        ("network", {**EXISTING, "subnet_ids": EXISTING["subnet_ids"] * 2}, ["stands there already"]),
        ("network", {**EXISTING, "existing_endpoints": ["sqqs"]}, ["no endpoint that is known", "did you mean 'sqs'"]),
        ("network", {**EXISTING, "existing_endpoints": ["firehose"]}, ["its name is 'kinesis-firehose'"]),
        ("ingest", {**OPEN, "keys_per_day": 5}, ["no stream asks for an API key"]),
        ("ingest", {**OPEN, "requests_per_address": 50}, ["there is none (web_acl = true)"]),
        ("ingest", {"streams": {"orders": {"who": "iam", "cache_seconds": 5}}}, ["it goes with who = 'lambda'"]),
        ("ingest", {**OPEN, "vpc_endpoint_id": "vpce-0123456789abcdef0"}, ["goes with private = true"]),
        ("ingest", {"streams": {"orders": {"api_key": True}}, "producers": ["a--b"]}, ["single hyphens"]),
        ("ingest", {"streams": {"orders": {"api_key": True}}, "producers": ["a-1", "a1"]}, ["hyphens alone"]),
        ("consumers__totals__mapping", {"filters": [{"data": {"at": [date(2026, 1, 31)]}}]}, ["filters[0].data.at[0]"]),
        ("consumers__totals__mapping", {"filters": [{"data": {"at": date(2026, 1, 31)}}]}, ["it is a list of what"]),
        ("consumers__totals__mapping", {"filters": [{"dat": ["x"]}]}, ["no field of a record", "did you mean 'data'"]),
        ("consumers__totals__mapping", {"filters": [{"data": [{"prefx": "x"}]}]}, ["did you mean 'prefix'"]),
        ("consumers__totals__mapping", {"filters": [{"data": ["x" * 4096]}]}, ["more than 4,096 characters"]),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_what_is_allowed(path: str, value: Any, words: list[str]) -> None:
    found = problems(**{path: value})

    assert found
    text = "\n".join(map(str, found))
    assert path.split("__")[0] in text
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("consumers__totals__mapping", {"on_failure": "arn:aws:sqs:eu-west-2:123456789012:failed"}),
        ("streams__orders__kms_key", "arn:aws:kms:eu-west-2:123456789012:key/0a1b2c3d"),
        ("monitoring", {"page": ["arn:aws:sns:eu-west-2:123456789012:pages"]}),
        (
            "consumers__jobs",
            {"handler": "a.b", "queue_arn": "arn:aws:sqs:eu-west-2:123456789012:jobs"},
        ),
    ],
)
def test_what_services_look_for_in_their_own_region_lies_there(path: str, value: Any) -> None:
    (problem,) = problems(region="eu-west-1", **{path: value})

    assert "is in eu-west-2, and the pipeline in eu-west-1" in problem.message
    assert problems(region="eu-west-2", **{path: value}) == []
    assert problems(**{path: value}) == []


def test_a_service_that_no_endpoint_leads_to_is_refused_in_a_network_alone() -> None:
    use = {"actions": ["firehse:PutRecord"], "arns": ["arn:aws:firehose:eu-west-1:123456789012:deliverystream/x"]}

    (problem,) = problems(network={}, consumers__totals__uses=[use])
    assert problem.path == "consumers.totals.uses[0].actions"
    assert "did you mean 'firehose'?" in problem.message
    assert problems(consumers__totals__uses=[use]) == []


def test_all_problems_are_told_at_once() -> None:
    found = problems(name="X", region="here", streams__orders__mode="x", consumers__totals__memory_mb=1)

    assert [problem.path for problem in found] == [
        "consumers.totals.memory_mb",
        "name",
        "region",
        "streams.orders.mode",
    ]


def test_names_that_become_one_in_a_template_are_refused() -> None:
    found = problems(streams__b={}, **{"streams__a-1": {}, "streams__a1": {}})

    assert [problem.path for problem in found] == ["streams.a1"]


def test_what_is_missing_is_said_with_what_it_is() -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        parse({"streams": {"orders": {}}})

    assert str(raised.value) == "pipeline.toml: name: is missing: The beginning of every name, for example orders"


@given(pipelines())
def test_every_valid_configuration_is_read(table: dict[str, Any]) -> None:
    assert parse(table).name == table["name"]


_TOML = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.data())
def test_whatever_stands_there_is_read_or_refused_with_its_place(data: st.DataObject) -> None:
    """No value of any kind, at any place, is an error of ours."""
    table = data.draw(pipelines())
    at: Any = table
    while True:
        key = data.draw(st.sampled_from(sorted(at)))
        if not isinstance(at[key], dict) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(_TOML)
    assert all(problem.path for problem in told(table))
