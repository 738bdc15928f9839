"""Each rule finds what it is for, passes over what is just allowed, and has its place in the documentation."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.config import parse
from deploy.lint import RULES, lint
from deploy.lint.finding import PAGE
from deploy.synthesis import stacks
from tests.golden.deploy import CASES, pipeline

TOKENS = {"who": "jwt", "issuer": "https://issuer.example", "audiences": ["ingest"]}
POOL = {"who": "cognito", "user_pools": ["arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbC"]}

NAMED = {"physical_name": "Orders.v1"}
ELSEWHERE = {"on_failure": "arn:aws:sqs:eu-west-1:123456789012:failed"}

ROOT = Path(__file__).parents[4]


def shop(
    *, stream: Any = (), mapping: Any = (), accept: Any = (), ingest: Any = None, **consumer: Any
) -> dict[str, Any]:
    table = {
        "name": "shop",
        "accept": dict(accept),
        "streams": {"orders": dict(stream)},
        "consumers": {"totals": {"stream": "orders", "handler": "a.b", "mapping": dict(mapping), **consumer}},
    }
    return table if ingest is None else {**table, "ingest": ingest}


def found(table: dict[str, Any]) -> list[str]:
    """The rules that object, in their order."""
    pipeline = parse(table)
    return [finding.rule.id for finding in lint(pipeline, stacks(pipeline)) if finding.accepted is None]


def many(count: int, **consumer: Any) -> dict[str, Any]:
    table = shop()
    one = {**table["consumers"]["totals"], **consumer}
    return {**table, "consumers": {f"c{number}": one for number in range(count)}}


def letters(**consumer: Any) -> dict[str, Any]:
    return shop(dead_letters="bucket:dead", **consumer) | {"buckets": {"dead": {}}}


def uses(action: str) -> dict[str, Any]:
    return shop(uses=[{"actions": [action], "arns": ["arn:aws:sqs:eu-west-1:123456789012:q"]}])


def door(**settings: Any) -> dict[str, Any]:
    return {"streams": {"orders": {"who": "iam"}}, **settings}


def doors(number: int) -> dict[str, Any]:
    """A pipeline with so many streams, each with another function that lets into it."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:door"
    keys = [f"s{one}" for one in range(number)]
    streams = {key: {"who": "lambda", "function_arn": f"{arn}-{key}"} for key in keys}
    return {"name": "shop", "streams": {key: {} for key in keys}, "ingest": {"streams": streams}}


def reaching(number: int) -> dict[str, Any]:
    """Two consumers with so many ways into one security group."""
    ways = [{"security_group": "sg-0123456789abcdef0", "port": 1 + one // 2, "why": "x"} for one in range(number)]
    table = many(2) | {"network": {}}
    for side, name in enumerate(table["consumers"]):
        table["consumers"][name] = {**table["consumers"][name], "reaches": ways[side::2]}
    return table


@pytest.mark.parametrize("case", CASES)
def test_the_configurations_of_this_repository_are_clean(case: str) -> None:
    given = pipeline(case)
    assert [str(finding) for finding in lint(given, stacks(given)) if finding.accepted is None] == []


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ("KS001", shop(mapping={"maximum_record_age": 24 * 3600 + 1}), shop(mapping={"maximum_record_age": 24 * 3600})),
        ("KS002", shop(stream={"record_size_kib": 4700}), shop(stream={"record_size_kib": 2000})),
        (
            "KS002",
            shop(stream={"record_size_kib": 4000}),
            shop(stream={"record_size_kib": 4000}, mapping={"batch_size": 1}),
        ),
        (
            "KS004",
            shop(stream={"aggregated": True}, mapping={"parallelization_factor": 2}),
            shop(stream={"aggregated": True}, mapping={"parallelization_factor": 1}),
        ),
        (
            "KS006",
            shop(mapping={"maximum_retry_attempts": -1}),
            shop(mapping={"maximum_retry_attempts": -1, "maximum_record_age": 3600}),
        ),
        ("KS007", shop(stream={"retention_hours": 193}), shop(stream={"retention_hours": 192})),
        (
            "KS007",
            shop(stream={"retention_hours": 168}, mapping={"maximum_record_age": 36 * 3600}),
            shop(stream={"retention_hours": 168}, mapping={"maximum_record_age": 36 * 3600}, ledger_ttl_hours=204),
        ),
        ("KS007", shop(stream={"retention_hours": 193}), shop(stream={"retention_hours": 193}, ledger="none")),
        ("KS008", shop(mapping={"starting_position": "LATEST"}), shop(mapping={"starting_position": "TRIM_HORIZON"})),
        ("KS009", shop(ingest=door(requests_per_second=4001)), shop(ingest=door(requests_per_second=4000))),
        (
            "KS009",
            shop(stream={"mode": "provisioned", "shards": 2}, ingest=door(requests_per_second=2001)),
            shop(stream={"mode": "provisioned", "shards": 2}, ingest=door(requests_per_second=2000)),
        ),
        (
            "KS011",
            shop(mapping={"on_failure": "none"}),
            shop(mapping={"on_failure": "none", "maximum_retry_attempts": -1}),
        ),
        ("KS012", shop(dead_letters="none"), shop(dead_letters="queue")),
        ("KS013", shop(environment={"DB_PASSWORD": "hunter2"}), shop(environment={"DB_PASSWORD_ARN": "arn:x"})),
        *(
            ("KS013", shop(environment={bad: "hunter2"}), shop(environment={good: "there"}))
            for bad, good in (
                ("PROVIDER_API_KEY", "API_KEY_PROVIDER_ID"),
                ("VALIDATION_TOKEN", "TOKEN_URL"),
                ("CURL_PASSWORD", "PASSWORD_FILE"),
                ("WARNING_SECRET", "SecretName"),
                ("DbPassword", "dbPasswordArn"),
                ("SECRET_NAMED", "SECRET_NAME"),
            )
        ),
        ("KS014", many(6), many(5)),
        ("KS014", many(6), many(6, fan_out=True)),
        (
            "KS015",
            shop(ingest={"streams": {"orders": {"api_key": True}}}),
            shop(ingest={"streams": {"orders": {"api_key": True, "who": "iam"}}}),
        ),
        (
            "KS017",
            shop(ingest={"streams": {"orders": TOKENS}}),
            shop(ingest={"streams": {"orders": {**TOKENS, "scopes": ["put:orders"]}}}),
        ),
        (
            "KS017",
            shop(ingest={"streams": {"orders": POOL}}),
            shop(ingest={"streams": {"orders": {**POOL, "scopes": ["ingest/orders"]}}}),
        ),
        ("KS016", shop(accept={"KS008": "why not"}), shop()),
        ("KS018", shop(stream=NAMED) | {"env": {"prod": {}}}, shop(stream=NAMED)),
        (
            "KS018",
            shop(stream=NAMED) | {"env": {"prod": {}}},
            shop() | {"env": {"prod": {"streams": {"orders": NAMED}}}},
        ),
        (
            "KS018",
            shop(stream=NAMED) | {"account": "123456789012", "env": {"prod": {"region": "eu-west-1"}}},
            shop(stream=NAMED) | {"account": "123456789012", "env": {"prod": {"account": "210987654321"}}},
        ),
        ("KS019", shop(mapping=ELSEWHERE), shop(mapping={**ELSEWHERE, "event_count_metrics": True})),
        ("KS019", letters(metrics=False), letters(metrics=True)),
        ("KS019", letters(metrics=False), {**letters(metrics=False), "monitoring": {"enabled": False}}),
        ("KS020", uses("sqs:SendMesage"), uses("sqs:SendMessage")),
        ("KS020", uses("kms:Decrpt"), uses("athena:Of")),  # whose actions are not listed
        ("KS020", uses("s3:PutObjcet"), uses("s3:putobject")),
        ("KS020", uses("sqs:Qqq"), uses("athena:Qqq")),  # like no other
        ("KS020", uses("dynamo:GetItem"), uses("rds-db:connect")),
        ("KS021", doors(11), doors(10)),
        (
            "KS021",
            shop(stream={"fan_out": [f"r{number}" for number in range(20)]}, fan_out=True),
            shop(stream={"fan_out": [f"r{number}" for number in range(20)]}),
        ),
        ("KS021", reaching(61), reaching(60)),
        ("KS021", many(10, reserved_concurrency=91), many(10, reserved_concurrency=90)),
    ],
)
def test_a_rule_finds_what_it_is_for_and_passes_over_what_is_allowed(
    rule: str, bad: dict[str, Any], good: dict[str, Any]
) -> None:
    assert rule in found(bad)
    assert rule not in found(good)


def changed(table: dict[str, Any], kind: str, **properties: Any) -> list[str]:
    """The rules that object to the templates once they are changed behind the configuration's back."""
    pipeline = parse(table)
    made = []
    for stack in stacks(pipeline):
        template = copy.deepcopy(dict(stack.template))
        for resource in template["Resources"].values():
            if resource["Type"] == kind:
                resource["Properties"] |= properties
        made.append(replace(stack, template=template))
    return [finding.rule.id for finding in lint(pipeline, made)]


def test_ks003_sees_a_window_with_a_factor_in_a_template() -> None:
    kind = "AWS::Lambda::EventSourceMapping"

    assert changed(shop(), kind, TumblingWindowInSeconds=60, ParallelizationFactor=2) == ["KS003"]
    assert changed(shop(), kind, TumblingWindowInSeconds=60, ParallelizationFactor=1) == []


def test_ks005_sees_that_nobody_reads_the_answer() -> None:
    kind = "AWS::Lambda::EventSourceMapping"

    assert changed(shop(), kind, FunctionResponseTypes=[]) == ["KS005"]
    assert changed(shop(), kind) == []


def test_ks010_sees_an_operation_that_lets_anyone_in() -> None:
    table = shop(ingest=door())
    pipeline = parse(table)
    (api,) = (stack for stack in stacks(pipeline) if stack.role == "ingest")
    body = copy.deepcopy(api.template["Resources"]["Api"]["Properties"]["Body"])
    assert changed(table, "AWS::ApiGateway::RestApi", Body=body) == []
    for security in ([], [{}]):
        body["paths"]["/streams/orders/records"]["post"]["security"] = security
        assert changed(table, "AWS::ApiGateway::RestApi", Body=body) == ["KS010"]
    del body["paths"]["/streams/orders/records"]["post"]["security"]
    assert changed(table, "AWS::ApiGateway::RestApi", Body=body) == ["KS010"]


def test_what_is_accepted_stays_visible_with_its_reason() -> None:
    table = shop(mapping={"starting_position": "LATEST"}, accept={"KS008:totals": "only what comes now"})
    pipeline = parse(table)
    (finding,) = lint(pipeline, stacks(pipeline))

    assert (finding.rule.id, finding.accepted) == ("KS008", "only what comes now")


def test_accepting_one_consumer_accepts_no_other() -> None:
    table = many(2, mapping={"starting_position": "LATEST"})

    assert found({**table, "accept": {"KS008:c0": "it may"}}) == ["KS008"]
    assert found({**table, "accept": {"KS008": "all may"}}) == []


def test_every_rule_has_its_place_in_the_documentation() -> None:
    page = (ROOT / PAGE).read_text()
    sections = dict(section.split("\n\n", 1) for section in page.split("\n## ")[1:])

    assert list(sections) == [rule.id for rule in RULES]
    for rule in RULES:
        assert sections[rule.id].startswith(f"{rule.name} ({rule.severity}).")
        assert rule.anchor == f"{PAGE}#{rule.id.lower()}"
