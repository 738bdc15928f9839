"""What CloudFormation may answer, and what is made of it: named errors with the next command, changes in words."""

from __future__ import annotations

import argparse
import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import ANY, Stubber

from deploy.commands import showing
from deploy.config import parse
from deploy.naming import OWNER_TAG
from deploy.stack import artifacts, changes, errors
from deploy.stack.account import Account, connect, identify
from deploy.stack.changes import Change, read
from deploy.stack.deletion import take_down
from deploy.stack.deployment import Deployment
from deploy.stack.drift import drift
from deploy.stack.following import Patience, follow
from deploy.stack.holdings import Held
from deploy.stack.leaving import Leaving
from deploy.stack.polling import told
from deploy.stack.skipped import compared
from deploy.stack.state import PIPELINE_TAG, Phase, State, physical_ids
from deploy.stack.values import Artifacts, values
from deploy.stack.widening import widened
from deploy.stacks import ArtifactOf, OutputOf, PrefixListOf, Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.stack.following import Event

ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop-stream/1"
CHANGE_SET = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/c/1"
EXECUTED = {"ChangeSetName": CHANGE_SET, "RetainExceptOnCreate": True}
STACK = Stack(
    name="shop-stream",
    role="stream",
    template={"Resources": {"S": {"Type": "AWS::Kinesis::Stream", "UpdateReplacePolicy": "Retain", "Properties": {}}}},
)
PIPELINE = parse({"name": "shop", "region": "eu-west-1", "account": "123456789012", "streams": {"s": {}}})


class Heard:
    """A ``Reporter`` that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, stack: str, what: str) -> None:
        self.said.append(f"{stack} {what}")

    def event(self, event: Event) -> None:
        self.said.append(f"{event.resource} {event.status}")


class Clock:
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, limit: float = 10.0) -> Patience:
        return Patience(limit, 2.0, self.sleep, lambda: self.now)


class Aws:
    """An account whose clients answer what they are told to, in order."""

    def __init__(self, *, emulated: bool = False) -> None:
        self._stubs: dict[str, Stubber] = {}
        self._clients: dict[str, Any] = {}
        self.account = Account("123456789012", "eu-west-1", self._client, emulated)
        self.heard = Heard()
        self.clock = Clock()

    def _client(self, service: str) -> Any:
        self.stub(service)
        return self._clients[service]

    def stub(self, service: str = "cloudformation") -> Stubber:
        if service not in self._stubs:
            self._clients[service] = boto3.client(service, region_name="eu-west-1")  # type: ignore[call-overload]
            self._stubs[service] = Stubber(self._clients[service])
            self._stubs[service].activate()
        return self._stubs[service]

    def all_asked(self) -> None:
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.account, "shop", Artifacts("bucket", {}), self.heard, self.clock.patience())

    # What it is told to answer.
    def is_absent(self) -> None:
        message = "Stack with id shop-stream does not exist"
        self.stub().add_client_error("describe_stacks", "ValidationError", message)

    def is_in(self, status: str, *, ours: bool = True, reason: str = "") -> None:
        tags = [{"Key": PIPELINE_TAG, "Value": "shop"}] if ours else []
        found = {"StackName": "shop-stream", "StackId": ID, "StackStatus": status, "CreationTime": 0, "Tags": tags}
        if reason:
            found["StackStatusReason"] = reason
        self.stub().add_response("describe_stacks", {"Stacks": [found]})

    def has_events(self, *told: tuple[str, str, str]) -> None:
        """Each a number, a status, and a reason; the newest first, as CloudFormation tells them."""
        found = [
            {
                "EventId": number, "StackId": ID, "StackName": "shop-stream", "LogicalResourceId": "S", "Timestamp": 0,
                "ResourceType": "AWS::Kinesis::Stream", "ResourceStatus": status, "ResourceStatusReason": reason,
            }
            for number, status, reason in told
        ]  # fmt: skip
        self.stub().add_response("describe_stack_events", {"StackEvents": found})

    def makes_change_set(self, kind: str, *found: dict[str, Any]) -> None:
        expected = {
            "StackName": "shop-stream", "ChangeSetName": ANY, "ChangeSetType": kind, "Capabilities": [],
            "Parameters": [], "Tags": [{"Key": PIPELINE_TAG, "Value": "shop"}], "TemplateBody": STACK.body,
        }  # fmt: skip
        self.stub().add_response("create_change_set", {"Id": CHANGE_SET, "StackId": ID}, expected)
        described = {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change} for change in found]}
        self.stub().add_response("describe_change_set", described)
        self.stub().add_response("describe_change_set", described)

    def has_template(self, resources: dict[str, Any]) -> None:
        self.stub().add_response("get_template", {"TemplateBody": json.dumps({"Resources": resources})})

    def change_set_fails(self, reason: str) -> None:
        self.stub().add_response("create_change_set", {"Id": CHANGE_SET, "StackId": ID})
        self.stub().add_response("describe_change_set", {"Status": "FAILED", "StatusReason": reason})
        self.stub().add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})


@pytest.fixture
def aws() -> Iterator[Aws]:
    made = Aws()
    yield made
    made.all_asked()


@contextmanager
def raises(kind: type[errors.DeployError], *words: str, then: str) -> Iterator[None]:
    """An error of the name, with the words in it, and the next command."""
    with pytest.raises(kind) as caught:
        yield
    for word in words:
        assert word in str(caught.value)
    assert caught.value.then == then


ADDED = {"Action": "Add", "LogicalResourceId": "S", "ResourceType": "AWS::Kinesis::Stream"}


CONSUMER = replace(
    STACK,
    template={"Resources": {"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"Enabled": True}}}},
)
MAPPING = "14e0db71-xmpl-4eb5-b481-8945cf9d10c2"


def polls(aws: Aws, *states: str) -> None:
    """What Lambda says of the mapping of ``CONSUMER``, one time after the other."""
    found = {
        "LogicalResourceId": "Mapping", "PhysicalResourceId": MAPPING, "ResourceType": "AWS::Lambda::EventSourceMapping",
        "LastUpdatedTimestamp": 0, "ResourceStatus": "CREATE_COMPLETE",
    }  # fmt: skip
    aws.stub().add_response("list_stack_resources", {"StackResourceSummaries": [found]})
    for state in states:
        aws.stub("lambda").add_response("get_event_source_mapping", {"State": state}, {"UUID": MAPPING})


def switches(aws: Aws, *, on: bool) -> None:
    asked = {"UUID": MAPPING, "Enabled": on}
    aws.stub("lambda").add_response("update_event_source_mapping", {"State": "Enabling" if on else "Disabling"}, asked)


# -- which account -----------------------------------------------------------------------------------------------------


def test_another_account_is_refused(aws: Aws) -> None:
    aws.stub("sts").add_response("get_caller_identity", {"Account": "999999999999"})
    with raises(errors.WrongAccount, "999999999999", "123456789012", then="aws sts get-caller-identity"):
        identify(PIPELINE, aws.account.client("sts"), aws.account.make)


def test_another_region_is_refused_before_anybody_is_asked() -> None:
    with raises(errors.WrongRegion, "us-east-1", "eu-west-1", then="plan"):
        connect(PIPELINE, region="us-east-1")


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_do_not_count_are_named(aws: Aws, code: str) -> None:
    aws.stub("sts").add_client_error("get_caller_identity", code, "no", http_status_code=403)
    with raises(errors.NoCredentials, code, then="aws sso login"):
        identify(PIPELINE, aws.account.client("sts"), aws.account.make)


def test_no_credentials_and_no_network_are_named() -> None:
    with raises(errors.NoCredentials, then="aws configure"), errors.named("x"):
        raise NoCredentialsError
    with raises(errors.Unreachable, "https://nowhere", then="status"), errors.named("x"):
        raise EndpointConnectionError(endpoint_url="https://nowhere")


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("AccessDenied", "not authorized to perform: cloudformation:CreateChangeSet", errors.NotAllowed),
        ("LimitExceededException", "Limit of 2000 stacks", errors.QuotaReached),
        ("AlreadyExistsException", "Stack exists", errors.NameTaken),
        ("OperationInProgressException", "busy", errors.AnotherAtWork),
        ("InvalidChangeSetStatus", "cannot be executed in its current status of [OBSOLETE]", errors.AnotherAtWork),
        ("ValidationError", "Stack:x is in UPDATE_IN_PROGRESS state and can not be updated.", errors.AnotherAtWork),
        (
            "ValidationError",
            "Stack [x] already exists and cannot be created again with the changeSet [kstream-1].",
            errors.AnotherAtWork,
        ),
        ("ValidationError", "Template format error", errors.ChangeRefused),
        ("Throttling", "Rate exceeded", errors.CallFailed),
    ],
)
def test_every_answer_of_aws_has_a_name_and_a_next_command(
    code: str, message: str, kind: type[errors.DeployError]
) -> None:
    error = errors.of_answer("the stack x", code, message)
    assert type(error) is kind
    assert message in str(error)
    assert error.then


# -- plan and up -------------------------------------------------------------------------------------------------------


def test_a_stack_that_is_not_there_is_planned_without_leaving_one(aws: Aws) -> None:
    aws.is_absent()
    assert aws.deployment.planned(STACK) == (Change("create", "S", "AWS::Kinesis::Stream"),)


def test_a_plan_takes_its_change_set_away(aws: Aws) -> None:
    aws.is_in("UPDATE_COMPLETE")
    aws.makes_change_set("UPDATE", ADDED)
    aws.stub().add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    assert [change.action for change in aws.deployment.planned(STACK)] == ["create"]


@pytest.mark.parametrize(
    "reason", ["The submitted information didn't contain changes.", "No updates are to be performed."]
)
def test_no_change_is_no_failure(aws: Aws, reason: str) -> None:
    aws.is_in("CREATE_COMPLETE")
    aws.change_set_fails(reason)
    assert aws.deployment.bring_up(STACK).what == "unchanged"


def test_polling_that_a_killed_down_left_off_is_a_change_that_up_makes(aws: Aws) -> None:
    """CloudFormation sees none: its template says what it said."""
    aws.is_in("CREATE_COMPLETE")
    aws.change_set_fails("No updates are to be performed.")
    polls(aws, "Disabled")
    change = Change("modify", "Mapping", "AWS::Lambda::EventSourceMapping", because=("Enabled",), name=MAPPING)
    assert aws.deployment.planned(CONSUMER) == (change,)

    aws.is_in("CREATE_COMPLETE")
    aws.change_set_fails("No updates are to be performed.")
    polls(aws, "Disabling", "Disabled")
    switches(aws, on=True)
    for state in ("Enabling", "Enabled"):
        aws.stub("lambda").add_response("get_event_source_mapping", {"State": state})
    assert aws.deployment.bring_up(CONSUMER).what == "updated"
    assert aws.heard.said == ["shop-stream switching its polling on, as the file says"]


def test_polling_that_is_as_the_file_says_is_no_change(aws: Aws) -> None:
    aws.is_in("CREATE_COMPLETE")
    aws.change_set_fails("No updates are to be performed.")
    polls(aws, "Enabled")
    assert aws.deployment.bring_up(CONSUMER).what == "unchanged"


def test_polling_that_cloudformation_is_about_to_switch_is_told_once(aws: Aws) -> None:
    aws.is_in("CREATE_COMPLETE")
    mapping = {**ADDED, "Action": "Modify", "LogicalResourceId": "Mapping", "Replacement": "False"}
    aws.stub().add_response("create_change_set", {"Id": CHANGE_SET, "StackId": ID})
    for _ in range(2):
        described = {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": mapping}]}
        aws.stub().add_response("describe_change_set", described)
    aws.stub().add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    polls(aws, "Disabled")
    assert [change.logical_id for change in aws.deployment.planned(CONSUMER)] == ["Mapping"]


def test_status_says_what_polls_otherwise_than_the_file(aws: Aws) -> None:
    ready = State("shop-stream", ID, "CREATE_COMPLETE")
    polls(aws, "Disabled")
    (found,) = told(aws.account, CONSUMER, ready)
    assert (found.differs, str(found)) == (True, "Mapping is disabled, and the file says enabled = true")
    polls(aws, "Enabled")
    assert [one.differs for one in told(aws.account, CONSUMER, ready)] == [False]
    assert told(aws.account, STACK, ready) == []


def test_a_template_that_is_refused_is_told_with_the_reason(aws: Aws) -> None:
    aws.is_in("CREATE_COMPLETE")
    aws.change_set_fails("Circular dependency")
    with raises(errors.ChangeRefused, "Circular dependency", then="lint"):
        aws.deployment.bring_up(STACK)


def validation(name: str, reason: str, kind: str = "AWS::Kinesis::Stream") -> dict[str, Any]:
    return {
        "EventId": name, "StackId": ID, "Timestamp": 0, "EventType": "VALIDATION_ERROR", "LogicalResourceId": "S",
        "ResourceType": kind, "ValidationName": name, "ValidationStatus": "FAILED", "ValidationStatusReason": reason,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "kind", "said", "then"),
    [
        (
            [validation("NAME_CONFLICT_VALIDATION", "Resource with identifier 's' already exists.")],
            errors.NameTaken, "S (AWS::Kinesis::Stream): Resource with identifier 's' already exists.", "up --adopt",
        ),
        (
            [validation("NAME_CONFLICT_VALIDATION", "Resource already exists.", "AWS::Lambda::Function")],
            errors.NameTaken, "give physical_name another value", "up",
        ),
        (
            [validation("PROPERTY_VALIDATION", "extraneous key [Shards] is not permitted")],
            errors.ChangeRefused, "extraneous key [Shards]", "lint",
        ),
        ([], errors.ChangeRefused, "AWS::EarlyValidation::ResourceExistenceCheck", "lint"),
    ],
)  # fmt: skip
def test_what_cloudformation_finds_before_it_begins_is_told_in_its_words(
    aws: Aws, found: list[dict[str, Any]], kind: type[errors.DeployError], said: str, then: str
) -> None:
    """The change set itself only says where to ask."""
    aws.is_absent()
    aws.stub().add_response("create_change_set", {"Id": CHANGE_SET, "StackId": ID})
    reason = (
        "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot ..."
    )
    aws.stub().add_response("describe_change_set", {"Status": "FAILED", "StatusReason": reason})
    asked = {"ChangeSetName": CHANGE_SET, "Filters": {"FailedEvents": True}}
    aws.stub().add_response("describe_events", {"OperationEvents": found}, asked)
    aws.stub().add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    with raises(kind, said, then=then):
        aws.deployment.bring_up(STACK)


def test_a_quota_that_the_change_set_names_is_a_quota(aws: Aws) -> None:
    aws.is_in("CREATE_COMPLETE")
    aws.change_set_fails("Limit on the number of resources in a single stack operation exceeded: TooManyResources")
    with raises(errors.QuotaReached, "Limit on the number", then="aws service-quotas list-services"):
        aws.deployment.bring_up(STACK)


def test_up_creates_and_tells_each_event_once(aws: Aws) -> None:
    aws.is_absent()
    aws.makes_change_set("CREATE", ADDED)
    aws.has_events(("0", "REVIEW_IN_PROGRESS", ""))
    aws.stub().add_response("execute_change_set", {}, EXECUTED)
    aws.is_in("CREATE_IN_PROGRESS")
    aws.has_events(("1", "CREATE_IN_PROGRESS", ""), ("0", "REVIEW_IN_PROGRESS", ""))
    aws.is_in("CREATE_COMPLETE")
    aws.has_events(("2", "CREATE_COMPLETE", ""), ("1", "CREATE_IN_PROGRESS", ""), ("0", "REVIEW_IN_PROGRESS", ""))

    assert aws.deployment.bring_up(STACK).what == "created"
    assert aws.heard.said == ["shop-stream creating", "S CREATE_IN_PROGRESS", "S CREATE_COMPLETE"]


@pytest.mark.parametrize(
    ("status", "reason", "kind", "then"),
    [
        ("ROLLBACK_COMPLETE", "Stream s already exists", errors.NameTaken, "up --replace-failed --adopt"),
        ("ROLLBACK_COMPLETE", "LimitExceededException: shards", errors.QuotaReached, "up --replace-failed"),
        ("UPDATE_ROLLBACK_COMPLETE", "Invalid value", errors.RolledBack, "up"),
    ],
)
def test_a_rollback_is_told_with_the_first_failure(
    aws: Aws, status: str, reason: str, kind: type[errors.DeployError], then: str
) -> None:
    aws.is_absent()
    aws.makes_change_set("CREATE", ADDED)
    aws.has_events()
    aws.stub().add_response("execute_change_set", {})
    aws.is_in(status)
    aws.has_events(("2", "CREATE_FAILED", "Resource creation cancelled"), ("1", "CREATE_FAILED", reason))
    with raises(kind, f"S (AWS::Kinesis::Stream): {reason}", status, then=then):
        aws.deployment.bring_up(STACK)


def test_a_first_creation_that_failed_is_replaced_only_when_told(aws: Aws) -> None:
    aws.is_in("ROLLBACK_COMPLETE")
    with raises(errors.StackFailed, "ROLLBACK_COMPLETE", then="up --replace-failed"):
        aws.deployment.bring_up(STACK)
    aws.is_in("ROLLBACK_COMPLETE")
    aws.has_template({})
    aws.stub().add_response("list_stack_resources", {"StackResourceSummaries": []})
    aws.stub().add_response("delete_stack", {}, {"StackName": ID})
    aws.is_in("DELETE_COMPLETE")
    aws.has_events()
    aws.change_set_fails("told enough")
    with pytest.raises(errors.ChangeRefused):
        aws.deployment.bring_up(STACK, replace_failed=True)


def test_a_half_deleted_stack_is_not_replaced_while_it_holds_something(aws: Aws) -> None:
    aws.is_in("DELETE_FAILED")
    aws.has_template({"L": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Delete"}})
    has = {"LogicalResourceId": "L", "PhysicalResourceId": "ledger", "ResourceType": "AWS::DynamoDB::Table"}
    listed = {**has, "ResourceStatus": "CREATE_COMPLETE", "LastUpdatedTimestamp": 0}
    aws.stub().add_response("list_stack_resources", {"StackResourceSummaries": [listed]})
    aws.stub("dynamodb").add_response("scan", {"Count": 1})
    with raises(errors.DataWouldBeLost, r"table ledger (items)", then="down --delete-data ledger"):
        aws.deployment.bring_up(STACK, replace_failed=True)


@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_a_down_that_failed_says_what_is_gone_and_goes_on_with_down(aws: Aws, names: list[str]) -> None:
    aws.is_in("UPDATE_COMPLETE")
    aws.has_events()
    aws.stub().add_response("delete_stack", {}, {"StackName": ID})
    aws.is_in("DELETE_FAILED")
    aws.has_events(("1", "DELETE_FAILED", "has a dependent object"))
    again = "down --delete-data a b" if names else "down"
    with raises(errors.HalfDeleted, "has a dependent object", "gone, and the rest is there", then=again):
        take_down(aws.deployment, [Leaving("shop-stream", ())], names)


@pytest.mark.parametrize("emulated", [False, True])
def test_what_was_stilled_goes_as_it_is_but_localstack_takes_it_away_only_while_it_polls(emulated: bool) -> None:
    """LocalStack 4.14.0 keeps a mapping that is off when it is deleted, and the next ``up`` would find it in its way."""
    aws = Aws(emulated=emulated)
    aws.is_in("UPDATE_COMPLETE")
    aws.has_events()
    aws.has_template(CONSUMER.template["Resources"])
    polls(aws, "Enabled")
    switches(aws, on=False)
    aws.stub("lambda").add_response("get_event_source_mapping", {"State": "Disabled"})
    aws.has_template(CONSUMER.template["Resources"])
    polls(aws)
    if emulated:
        aws.stub("lambda").add_response("get_event_source_mapping", {"State": "Disabled"})
        switches(aws, on=True)
    aws.stub().add_response("delete_stack", {}, {"StackName": ID})
    aws.is_in("DELETE_COMPLETE")
    aws.has_events()

    queue = Held("shop-totals-on-failure", "queue", kept=False, holds="")
    assert take_down(aws.deployment, [Leaving("shop-stream", (queue,))], []).stacks == ("shop-stream",)
    aws.all_asked()


def test_a_stack_that_once_worked_is_never_replaced(aws: Aws) -> None:
    aws.is_in("UPDATE_ROLLBACK_FAILED", reason="no permission")
    with raises(
        errors.StackFailed, "no permission", then="aws cloudformation continue-update-rollback --stack-name shop-stream"
    ):
        aws.deployment.bring_up(STACK, replace_failed=True)


def test_what_is_under_way_is_waited_for(aws: Aws) -> None:
    aws.is_in("UPDATE_IN_PROGRESS")
    aws.has_events()
    aws.is_in("UPDATE_IN_PROGRESS")
    aws.has_events()
    aws.is_in("UPDATE_COMPLETE")
    aws.has_events(("1", "UPDATE_COMPLETE", ""))
    aws.change_set_fails("No updates are to be performed")
    assert aws.deployment.bring_up(STACK).what == "unchanged"
    assert aws.clock.now == 2.0


def test_two_at_once_are_told_apart_by_the_one_who_comes_late(aws: Aws) -> None:
    aws.is_in("CREATE_COMPLETE")
    aws.makes_change_set("UPDATE", ADDED)
    aws.has_events()
    aws.stub().add_client_error("execute_change_set", "OperationInProgressException", "busy")
    with raises(errors.AnotherAtWork, "shop-stream", then="plan"):
        aws.deployment.bring_up(STACK)


def test_waiting_has_an_end(aws: Aws) -> None:
    for _ in range(6):
        aws.is_in("CREATE_IN_PROGRESS")
        aws.has_events()
    with raises(errors.DeadlinePassed, "CREATE_IN_PROGRESS after 10 s", then="status"):
        follow(aws.account, ID, aws.heard, aws.clock.patience())


def test_somebody_elses_stack_is_not_touched(aws: Aws) -> None:
    aws.is_in("CREATE_COMPLETE", ours=False)
    with raises(errors.NameTaken, "not made by this pipeline", then="status"):
        aws.deployment.bring_up(STACK)


def test_data_is_not_taken_away_unless_told(aws: Aws) -> None:
    aws.is_in("CREATE_COMPLETE")
    removed = {"Action": "Remove", "LogicalResourceId": "T", "ResourceType": "AWS::DynamoDB::Table"}
    aws.makes_change_set("UPDATE", removed)
    aws.stub().add_response("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    with raises(errors.DataWouldBeLost, "T", then="up --accept-loss"):
        aws.deployment.bring_up(STACK)


@pytest.mark.parametrize(
    ("found", "action", "loses", "leaves", "certain"),
    [
        ({"Action": "Modify", "Replacement": "False"}, "modify", False, False, True),
        ({"Action": "Modify", "Replacement": "True"}, "replace", False, True, True),
        ({"Action": "Modify", "Replacement": "Conditional", "PolicyAction": "ReplaceAndDelete"}, "replace", True, False, 0),
        ({"Action": "Modify", "Replacement": "True", "PolicyAction": "ReplaceAndRetain"}, "replace", False, True, True),
        ({"Action": "Remove", "PolicyAction": "Retain"}, "remove", False, True, True),
        ({"Action": "Remove", "PolicyAction": "Delete"}, "remove", True, False, True),
        ({"Action": "Remove"}, "remove", True, False, True),
    ],
)  # fmt: skip
def test_replacement_and_loss_are_read_from_the_change_set(
    found: dict[str, Any], action: str, loses: bool, leaves: bool, certain: int
) -> None:
    change = read({"LogicalResourceId": "S", "ResourceType": "AWS::Kinesis::Stream", **found}, STACK, {})
    assert (change.action, change.loses_data, change.leaves_data, change.certain) == (
        action,
        loses,
        leaves,
        bool(certain),
    )


def test_an_emulators_removal_follows_the_template_that_the_stack_still_has() -> None:
    found = {"Action": "Remove", "LogicalResourceId": "S", "ResourceType": "AWS::Kinesis::Stream"}
    has = {"S": {"Type": "AWS::Kinesis::Stream", "DeletionPolicy": "Retain"}}
    change = read({**found, "PhysicalResourceId": "shop-s"}, STACK, has)
    assert (change.loses_data, change.leaves_data, change.name) == (False, True, "shop-s")


def test_what_a_stack_could_not_make_or_has_let_go_is_not_its_own(aws: Aws) -> None:
    """It may be somebody else's, who had the name first."""
    statuses = (
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "DELETE_COMPLETE",
        "DELETE_SKIPPED",
        "UPDATE_COMPLETE",
        "DELETE_FAILED",
    )
    listed = [
        {
            "LogicalResourceId": status, "PhysicalResourceId": "x", "ResourceType": "AWS::S3::Bucket",
            "ResourceStatus": status, "LastUpdatedTimestamp": 0,
        }
        for status in statuses
    ]  # fmt: skip
    aws.stub().add_response("list_stack_resources", {"StackResourceSummaries": listed})
    assert set(physical_ids(aws.account, "shop-stream")) == {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_FAILED"}


def test_a_network_grows_before_it_shrinks() -> None:
    """What is to go stays as it is, with its parameters, until it is asked for without it."""
    group = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupEgress": [{"Ref": "S3PrefixList"}]}}
    present = {
        "Resources": {"Old": group, "Both": {"Type": "A"}},
        "Parameters": {"S3PrefixList": {"Type": "String"}},
        "Outputs": {"OldId": {"Value": "x"}},
    }
    new = replace(STACK, template={"Resources": {"Both": {"Type": "B"}, "New": group}, "Outputs": {}})
    wide = widened(new, present)
    assert wide is not None
    assert wide.template == {
        "Resources": {"Old": group, "Both": {"Type": "B"}, "New": group},
        "Parameters": present["Parameters"],
        "Outputs": {},
    }
    assert widened(new, wide.template) == wide, "again, after an interruption"
    assert widened(new, new.template) is None


def test_the_settings_that_change_are_named_once() -> None:
    details = [{"Target": {"Attribute": "Properties", "Name": "ShardCount"}}] * 2 + [{"Target": {"Attribute": "Tags"}}]
    change = read({**ADDED, "Action": "Modify", "Details": details}, STACK, {})
    assert change.because == ("ShardCount", "Tags")


# -- parameters, artifacts, what an emulator skips, drift --------------------------------------------------------------


def test_parameters_are_found_where_they_are_said_to_be(aws: Aws) -> None:
    stack = replace(
        STACK,
        parameters={
            "Key": ArtifactOf("c", "key"),
            "List": PrefixListOf("s3"),
            "Vpc": OutputOf("shop-network", "VpcId"),
            "Plain": "7",
        },
    )
    wanted = {"Filters": [{"Name": "prefix-list-name", "Values": ["com.amazonaws.eu-west-1.s3"]}]}
    aws.stub("ec2").add_response("describe_managed_prefix_lists", {"PrefixLists": [{"PrefixListId": "pl-1"}]}, wanted)
    aws.is_absent()
    found = values(aws.account, stack, Artifacts("bucket", {"c": "functions/c.zip"}))
    assert found == {"Key": "functions/c.zip", "List": "pl-1", "Vpc": None, "Plain": "7"}
    with raises(errors.ChangeRefused, "Vpc", then="up"):
        changes.make(
            aws.account, stack, State("shop-stream"), found, pipeline="shop", bucket="b", patience=aws.clock.patience()
        )


def test_the_same_content_is_sent_once(aws: Aws, tmp_path: Path) -> None:
    file = tmp_path / "a.zip"
    file.write_bytes(b"zip")
    s3 = aws.stub("s3")
    s3.add_client_error("head_object", "404", http_status_code=404)
    s3.add_response("put_object", {}, {"Bucket": "b", "Key": "new", "Body": b"zip", "ContentType": "application/zip"})
    s3.add_response("head_object", {}, {"Bucket": "b", "Key": "old"})
    assert artifacts.upload(aws.account, "b", {"new": file, "old": file}) == 1


def test_a_bucket_of_another_account_is_a_name_taken(aws: Aws) -> None:
    aws.stub("s3").add_client_error("head_bucket", "403", http_status_code=403)
    with raises(errors.NameTaken, "shop-artifacts", then="aws s3api list-buckets"):
        artifacts.exists(aws.account, "shop-artifacts")


def test_the_bucket_has_the_pipelines_name_or_a_shorter_one(aws: Aws) -> None:
    assert artifacts.bucket_of(PIPELINE, aws.account) == "shop-artifacts-123456789012-eu-west-1"
    longest = replace(PIPELINE, name="a" * 20, environment="b" * 10)
    assert len(artifacts.bucket_of(longest, replace(aws.account, region="ap-southeast-1"))) <= 63
    assert artifacts.bucket_of(replace(PIPELINE, artifact_bucket="mine"), aws.account) == "mine"


def test_a_large_template_goes_through_the_bucket(aws: Aws) -> None:
    large = replace(STACK, template={**STACK.template, "Description": "x" * 60_000})
    s3 = aws.stub("s3")
    s3.add_client_error("head_bucket", "404", http_status_code=404)
    tags = [{"Key": OWNER_TAG, "Value": "shop"}]
    made = {"Bucket": "b", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1", "Tags": tags}}
    s3.add_response("create_bucket", {}, made)
    s3.add_response("put_public_access_block", {})
    s3.add_response("put_object", {})
    url = artifacts.template(aws.account, "b", large, "shop")["TemplateURL"]
    assert url.startswith("https://")
    assert "?" not in url


def test_what_an_emulator_did_not_make_is_named() -> None:
    resources = {name: {"Type": "AWS::EC2::FlowLog", "Properties": {}} for name in ("Missing", "Placeholder", "Made")}
    stream = {"Type": "AWS::Kinesis::Stream", "Properties": {"RetentionPeriodHours": 48}}
    stack = replace(STACK, template={"Resources": {**resources, "S": stream}})
    found = compared(stack, {"Placeholder": "unknown", "Made": "fl-1", "S": "s"})
    assert [(one.logical_id, one.setting) for one in found] == [
        ("Missing", ""), ("Placeholder", ""), ("S", "RetentionPeriodHours")
    ]  # fmt: skip


def test_drift_is_told_by_resource(aws: Aws) -> None:
    cloudformation = aws.stub()
    cloudformation.add_response("detect_stack_drift", {"StackDriftDetectionId": "1" * 10})
    status = {"StackId": ID, "StackDriftDetectionId": "1" * 10, "Timestamp": 0}
    cloudformation.add_response(
        "describe_stack_drift_detection_status", {**status, "DetectionStatus": "DETECTION_IN_PROGRESS"}
    )
    cloudformation.add_response(
        "describe_stack_drift_detection_status",
        {**status, "DetectionStatus": "DETECTION_COMPLETE", "DriftedStackResourceCount": 1},
    )
    one = {
        "StackId": ID, "LogicalResourceId": "S", "ResourceType": "AWS::Kinesis::Stream", "Timestamp": 0,
        "StackResourceDriftStatus": "MODIFIED",
    }  # fmt: skip
    cloudformation.add_response("describe_stack_resource_drifts", {"StackResourceDrifts": [one]})
    ready = State("shop-stream", ID, "CREATE_COMPLETE")
    assert drift(aws.account, ready, aws.clock.patience()) == "S modified"
    assert drift(aws.account, State("shop-stream"), aws.clock.patience()) == ""


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("", Phase.ABSENT),
        ("DELETE_COMPLETE", Phase.ABSENT),
        ("REVIEW_IN_PROGRESS", Phase.BEGUN),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Phase.BUSY),
        ("DELETE_IN_PROGRESS", Phase.BUSY),
        ("UPDATE_ROLLBACK_COMPLETE", Phase.READY),
        ("IMPORT_COMPLETE", Phase.READY),
        ("ROLLBACK_COMPLETE", Phase.FAILED),
        ("DELETE_FAILED", Phase.FAILED),
    ],
)
def test_every_status_has_a_phase(status: str, phase: Phase) -> None:
    assert State("s", ID, status).phase is phase


def test_one_is_told_as_one() -> None:
    assert [showing.counted(number, "change") for number in (1, 2)] == ["1 change", "2 changes"]


def test_the_next_command_says_where() -> None:
    options = argparse.Namespace(config=Path("a b.toml"), env="prod", region=None, endpoint_url="http://127.0.0.1:1")
    assert (
        showing.command("up --replace-failed", options)
        == "python -m deploy up --replace-failed --config 'a b.toml' --env prod --endpoint-url http://127.0.0.1:1"
    )
    assert showing.command("lint", options) == "python -m deploy lint --config 'a b.toml' --env prod"
    assert showing.command("aws configure", options) == "aws configure"
    elsewhere = argparse.Namespace(config=Path("pipeline.toml"), env=None, region="us-east-1", endpoint_url=None)
    assert showing.command("plan", elsewhere, without="region") == "python -m deploy plan"
