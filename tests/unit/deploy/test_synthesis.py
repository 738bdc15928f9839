"""The stacks as whoever deploys them gets them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from deploy import alarms
from deploy.config import InvalidConfiguration, parse
from deploy.environment import EnvironmentTooLarge
from deploy.stacks import ArtifactOf, OutputOf, PrefixListOf
from deploy.synthesis import TemplateTooLarge, stacks
from deploy.template import BODY_LIMIT, UPLOAD_LIMIT, Resources, SameName, template
from kstream.ingest.errors import Throttled
from kstream.ingest.wire import Answer, read_error, retry_after
from tests.golden.deploy import pipeline
from tests.support.pipelines import almost, pipelines

if TYPE_CHECKING:
    from deploy.stacks import Stack


def of_kind(stack: Stack, kind: str) -> dict[str, dict[str, Any]]:
    return {key: one for key, one in stack.template["Resources"].items() if one["Type"] == kind}


@given(pipelines())
def test_each_stack_finds_what_it_needs_in_those_before(table: dict[str, Any]) -> None:
    """Dependencies come first, outputs exist, and every parameter is declared, given and used."""
    pipeline = parse(table)
    before: dict[str, Stack] = {}
    for stack in stacks(pipeline):
        assert set(stack.dependencies) <= set(before)
        assert set(stack.template.get("Parameters", {})) == set(stack.parameters)
        used = set(re.findall(r'"Ref": "(\w+)"', stack.body)) | set(re.findall(r"\$\{(\w+)\}", stack.body))
        assert set(stack.parameters) <= used
        for value in stack.parameters.values():
            if isinstance(value, OutputOf):
                assert value.stack in stack.dependencies
                assert value.output in before[value.stack].template["Outputs"]
            elif isinstance(value, ArtifactOf):
                assert value.consumer in pipeline.consumers
            else:
                assert isinstance(value, PrefixListOf | str)
        before[stack.name] = stack


NAMES = {
    "AWS::Kinesis::Stream": "Name",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::ApiGateway::ApiKey": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::Kinesis::StreamConsumer": "ConsumerName",
}


@given(pipelines() | almost())
def test_whatever_the_configuration_accepts_has_names_of_its_own(table: dict[str, Any]) -> None:
    """In a template, where ``Resources`` refuses a second; and in the account, where the second could not be made."""
    try:
        accepted = parse(table)
        made = stacks(accepted)
    except (InvalidConfiguration, EnvironmentTooLarge):
        return
    called = Counter(
        (one["Type"].replace("Composite", ""), str(one["Properties"][NAMES[one["Type"]]]), _stream(one))
        for stack in made
        for one in stack.template["Resources"].values()
        if one["Type"] in NAMES
    )
    assert [name for name, count in called.items() if count > 1] == []
    watched = {stack.role: stack for stack in made}.get("monitoring")
    assert watched is None or len(of_kind(watched, "AWS::CloudWatch::Alarm")) == len(alarms.of(accepted))


def _stream(one: dict[str, Any]) -> str:
    """Names of registered consumers are those of one stream."""
    return str(one["Properties"].get("StreamARN", ""))


def test_resources_refuse_a_name_that_is_there_however_it_is_put_in() -> None:
    one = {"Totals": {"Type": "A"}}
    with pytest.raises(SameName, match="Totals would stand twice"):
        Resources(one, one)
    there = Resources(one)
    with pytest.raises(SameName):
        there["Totals"] = {"Type": "B"}
    with pytest.raises(SameName):
        there |= one
    with pytest.raises(SameName):
        there | one
    with pytest.raises(SameName):
        there.update(one)
    with pytest.raises(SameName):
        template("one", there, parameters={"Totals": "what Ref would take instead"})


def test_no_alarm_is_called_as_the_end_of_another() -> None:
    """``late`` of ``totals-too`` and ``too-late`` of ``totals`` were one: an alarm that pages was lost."""
    consumers = {name: {"stream": "orders", "handler": "a.b"} for name in ("totals", "totals-too")}
    everything = alarms.of(parse({"name": "shop", "streams": {"orders": {}}, "consumers": consumers}))
    everything += alarms.of(pipeline("everything"))
    whats = {alarm.what for alarm in everything}

    assert [(one, other) for one in whats for other in whats if other.endswith(f"-{one}")] == []
    assert {"late", "overdue", "set-aside", "given-up"} <= whats


@given(pipelines())
def test_whatever_holds_the_users_data_outlives_its_stack(table: dict[str, Any]) -> None:
    for stack in stacks(parse(table)):
        held = {holding.logical_id for holding in stack.holds}
        for kind in ("AWS::Kinesis::Stream", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::DynamoDB::Table"):
            assert of_kind(stack, kind).keys() <= held
        for holding in stack.holds:
            resource = stack.template["Resources"][holding.logical_id]
            assert (
                resource["DeletionPolicy"]
                == resource["UpdateReplacePolicy"]
                == ("Retain" if holding.kept else "Delete")
            )
            assert holding.kept is (stack.role == "stream")


@given(pipelines())
def test_templates_are_small_enough(table: dict[str, Any]) -> None:
    assert all(stack.size < UPLOAD_LIMIT for stack in stacks(parse(table)))


@pytest.mark.parametrize("case", ["flights", "flights-prod", "minimal"])
def test_the_templates_of_this_repository_go_into_a_request(case: str) -> None:
    assert all(stack.size <= BODY_LIMIT for stack in stacks(pipeline(case)))


def test_a_template_that_is_too_large_is_refused_by_name() -> None:
    def table(origins: int) -> dict[str, Any]:
        door = {"who": "iam", "cors_origins": [f"https://{n}.shop.example" for n in range(origins)]}
        return {"name": "shop", "streams": {"orders": {}}, "ingest": {"streams": {"orders": door}}}

    assert stacks(parse(table(100)))
    with pytest.raises(TemplateTooLarge, match=r"shop-ingest has [1-9],.* bytes.*divide the pipeline"):
        stacks(parse(table(10_000)))


def test_a_stack_of_too_many_resources_is_refused_by_name() -> None:
    reaches = [{"security_group": "sg-0123456789abcdef0", "port": 5000 + n, "why": "x"} for n in range(50)]
    consumers = {f"c{n}": {"stream": "orders", "handler": "a.b", "reaches": reaches} for n in range(10)}
    table = {"name": "shop", "streams": {"orders": {}}, "network": {}, "consumers": consumers}
    with pytest.raises(TemplateTooLarge, match=r"shop-network has 5\d\d resources, .* takes 500: divide the pipeline"):
        stacks(parse(table))


def test_the_deployment_of_the_api_is_new_whenever_its_document_is() -> None:
    """API Gateway serves the copy that was deployed; only a new logical id makes a new copy."""
    table = {"name": "shop", "streams": {"orders": {}}, "ingest": {"streams": {"orders": {"who": "iam"}}}}

    def deployment(**door: Any) -> str:
        changed = {**table, "ingest": {"streams": {"orders": {"who": "iam", **door}}}}
        (ingest,) = (stack for stack in stacks(parse(changed)) if stack.role == "ingest")
        (found,) = of_kind(ingest, "AWS::ApiGateway::Deployment")
        assert of_kind(ingest, "AWS::ApiGateway::Stage")["Stage"]["Properties"]["DeploymentId"] == {"Ref": found}
        return found

    assert deployment() == deployment()
    assert deployment() != deployment(cors_origins=["https://shop.example"])


def test_whoever_is_over_the_web_acls_rate_is_asked_to_come_back() -> None:
    """Its own 403 says that somebody may not put at all; no producer would try again."""
    (ingest,) = (stack for stack in stacks(pipeline("everything")) if stack.role == "ingest")
    acl = of_kind(ingest, "AWS::WAFv2::WebACL")["WebAcl"]["Properties"]
    (rule,) = acl["Rules"]
    response = rule["Action"]["Block"]["CustomResponse"]
    body = acl["CustomResponseBodies"][response["CustomResponseBodyKey"]]
    assert body["ContentType"] == "APPLICATION_JSON"
    headers = {header["Name"].lower(): header["Value"] for header in response["ResponseHeaders"]}
    answer = Answer(response["ResponseCode"], headers, body["Content"].encode())
    assert isinstance(read_error(answer), Throttled)
    assert retry_after(answer, 0.0) == 30


def test_the_scopes_of_a_stream_are_in_the_document_that_is_deployed() -> None:
    """With them API Gateway takes Cognito's access tokens; without, ID tokens."""
    (ingest,) = (stack for stack in stacks(pipeline("everything")) if stack.role == "ingest")
    (api,) = of_kind(ingest, "AWS::ApiGateway::RestApi").values()
    for operation in ("records", "records/batch"):
        security = api["Properties"]["Body"]["paths"][f"/streams/letters/{operation}"]["post"]["security"]
        assert [list(requirement.values()) for requirement in security] == [[["ingest/letters"]]]


@pytest.mark.parametrize("case", ["flights", "flights-prod", "minimal"])
def test_no_account_and_no_region_is_built_into_a_template(case: str) -> None:
    for stack in stacks(pipeline(case)):
        assert re.search(r"\d{12}", re.sub(r"Deployment\w+", "", stack.body)) is None
        assert "eu-west-1" not in stack.body


@given(pipelines())
def test_every_mapping_reads_the_answer(table: dict[str, Any]) -> None:
    for stack in stacks(parse(table)):
        for mapping in of_kind(stack, "AWS::Lambda::EventSourceMapping").values():
            assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
