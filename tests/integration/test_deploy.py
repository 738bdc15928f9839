"""The whole pipeline on LocalStack: up, records through the deployed API, plan, failures on the way, and down.

LocalStack invokes the packages that ``up`` made, from the event source mappings that it made.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from deploy.stack import artifacts
from deploy.stack.account import Account
from deploy.stack.deletion import take_down
from deploy.stack.deployment import Deployment
from deploy.stack.errors import DataWouldBeLost
from deploy.stack.following import Patience
from deploy.stack.leaving import of_account
from deploy.stack.state import state_of
from deploy.stack.values import Artifacts
from kstream import IngestClient
from tests.docs.pages import ROOT
from tests.support.deployed import place
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.stack.following import Event
    from tests.support.deployed import Place
    from tests.support.localstack.clients import Clients

FLIGHT = {"carrier": "UA", "year": 2013, "month": 1, "day": 1, "distance": 100, "dep_time": 5, "dep_delay": 7}

PIPELINE = """
name = "{name}"
account = "000000000000"
lock = "{root}/requirements/function.lock"
tracing_lock = "{root}/requirements/function-xray.lock"

[streams.flights]
physical_name = "{name}-flights"
mode = "provisioned"
shards = 1
retention_hours = 48

[buckets.archive]

[tables.delays]
partition_key = "carrier"
sort_key = "day"

[consumers.delays]
handler = "consumers.flights.table_consumer.lambda_handler"
include = ["consumers/flights/table_consumer.py"]
stream = "flights"
runtime = "python3.11"
memory_mb = 256
mapping = {{ maximum_retry_attempts = 1 }}

[[consumers.delays.uses]]
table = "delays"
actions = ["dynamodb:UpdateItem"]
variable = "DELAYS_TABLE"

[consumers.archive]
handler = "consumers.archive.consumer.lambda_handler"
stream = "flights"
runtime = "python3.11"
dependencies = "layer"
ledger = "none"
environment = {{ ARCHIVE_PREFIX = "flights/" }}

[[consumers.archive.uses]]
bucket = "archive"
prefix = "flights/"
actions = ["s3:PutObject"]
variable = "ARCHIVE_BUCKET"

[network]
zones = 2

[ingest.streams.flights]
who = "iam"
envelope = true
"""

TRACE = {
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "x-amzn-trace-id": "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
}


class Heard:
    """A ``Reporter`` that remembers the steps."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    def step(self, stack: str, what: str) -> None:
        self.steps.append(f"{stack} {what}")

    def event(self, event: Event) -> None: ...


@pytest.fixture
def pipeline(tmp_path: Path, localstack: str, localstack_session: Clients) -> Iterator[Place]:
    shutil.copytree(ROOT / "consumers", tmp_path / "consumers", ignore=shutil.ignore_patterns("__pycache__"))
    with place(tmp_path, localstack, localstack_session, PIPELINE) as made:
        assert made.run("up") == 0
        yield made


@pytest.fixture
def small(tmp_path: Path, localstack: str, localstack_session: Clients) -> Iterator[Place]:
    """A stream and its alarms; nothing is deployed yet."""
    text = 'name = "{name}"\n[streams.s]\nphysical_name = "{name}-s"\nmode = "provisioned"\nshards = 1\n'
    with place(tmp_path, localstack, localstack_session, text) as made:
        yield made
        kinesis = localstack_session.client("kinesis")
        going = (kinesis.exceptions.ResourceNotFoundException, kinesis.exceptions.ResourceInUseException)
        with suppress(*going):
            kinesis.delete_stream(StreamName=f"{made.name}-s")


def records_go_from_the_deployed_api_through_the_deployed_functions(
    pipeline: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sums and lines of the good ones; the rejected one among the dead letters; the failing one, alone, given up. The
    trace that was under way in the client is in the handler's ``record.headers``: so its dead letter has it."""
    url = pipeline.json(capsys, "up")[1][-1]["ingestUrl"]
    flights: list[dict[str, Any]] = [
        FLIGHT,
        FLIGHT | {"carrier": ""},
        FLIGHT | {"carrier": "AA"},
        {"carrier": "without a distance"},
    ]
    with IngestClient(url, stream=f"{pipeline.name}-flights", trace_headers=lambda: TRACE) as api:
        api.put_many(
            [(json.dumps(flight).encode(), flight["carrier"] or "none") for flight in flights]
        ).raise_for_failures()

    (letter, *_) = pipeline.messages(pipeline.output("consumer-delays", "DeadLettersUrl"))
    assert (letter["consumer"], letter["reason"]) == ("FlightDelays", "the flight has no carrier")
    assert letter["record"]["headers"] == TRACE
    (given_up, *_) = pipeline.messages(pipeline.output("consumer-delays", "OnFailureUrl"))
    assert given_up["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert given_up["requestContext"]["approximateInvokeCount"] == 2
    # Only a partial failure leaves the one record: a failed batch would be of four.
    assert given_up["KinesisBatchInfo"]["batchSize"] == 1
    items = pipeline.session.client("dynamodb").scan(TableName=f"{pipeline.name}-delays")["Items"]
    assert {item["carrier"]["S"]: (item["flights"]["N"], item["delay_minutes"]["N"]) for item in items} == {
        "UA": ("1", "7"),
        "AA": ("1", "7"),
    }
    s3, bucket = pipeline.session.client("s3"), pipeline.output("stream", "ArchiveBucketName")

    def archived() -> list[str]:
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return [line for key in keys for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()]

    assert within_a_minute(lambda: len(archived()) >= 4)
    assert [json.loads(json.loads(line)["data"]) for line in archived()] == flights


def up_again_changes_nothing_and_says_what_localstack_skipped(
    pipeline: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = pipeline.json(capsys, "up")

    assert code == 0
    assert set(said[-1]["result"].values()) == {"unchanged"}
    skipped = [(one["stack"], one["logical_id"], one["setting"]) for one in said[-1]["skipped"]]
    assert {(stack.removeprefix(f"{pipeline.name}-"), name, setting) for stack, name, setting in skipped} == {
        ("network", "FlowLog", ""),
        ("network", "DelaysSecurityGroupToEndpoints", ""),
        ("network", "ArchiveSecurityGroupToEndpoints", ""),
        ("stream", "FlightsStream", "RetentionPeriodHours"),
        ("stream", "FlightsStream", "StreamEncryption"),
        ("monitoring", "Dashboard", ""),
    }
    # That the settings are ignored is so, and not only said.
    kinesis = pipeline.session.client("kinesis")
    found = kinesis.describe_stream_summary(StreamName=f"{pipeline.name}-flights")["StreamDescriptionSummary"]
    assert (found["RetentionPeriodHours"], found["EncryptionType"]) == (24, "NONE")


def plan_shows_no_change_and_then_the_one_that_is_made(pipeline: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert pipeline.run("plan") == 0
    said = capsys.readouterr().out
    assert "No changes" in said
    assert "VPC endpoint sqs (interface, 2 zones): about 14.60 USD a month for delays: its dead letters" in said
    pipeline.file.write_text(pipeline.file.read_text().replace("memory_mb = 256", "memory_mb = 512"))

    code, (planned,) = pipeline.json(capsys, "plan")

    assert code == 2
    changed = [(stack["name"], *stack["changes"]) for stack in planned["stacks"] if stack["changes"]]
    ((stack, change),) = changed
    assert stack == f"{pipeline.name}-consumer-delays"
    assert (change["action"], change["logical_id"], change["loses_data"]) == ("modify", "Function", False)
    assert pipeline.run("up") == 0
    function = pipeline.session.client("lambda").get_function_configuration(FunctionName=f"{pipeline.name}-delays")
    assert function["MemorySize"] == 512
    assert pipeline.run("plan") == 0


def status_tells_states_and_outputs(pipeline: Place, capsys: pytest.CaptureFixture[str]) -> None:
    code, (said,) = pipeline.json(capsys, "status")

    assert code == 0
    states = {stack["name"].removeprefix(f"{pipeline.name}-"): stack for stack in said["stacks"]}
    assert set(states) == {"network", "stream", "consumer-delays", "consumer-archive", "ingest", "monitoring"}
    assert {stack["phase"] for stack in states.values()} == {"ready"}
    assert {stack["drift"] for stack in states.values()} == {"not told"}
    assert said["ingestUrl"].startswith(f"{pipeline.endpoint_url}/restapis/")
    assert pipeline.run("status") == 0
    told = capsys.readouterr().out
    assert said["ingestUrl"] in told
    assert "amazonaws.com" not in told
    assert states["stream"]["outputs"]["FlightsStreamName"] == f"{pipeline.name}-flights"


def what_the_file_does_not_name_any_more_goes_but_not_with_its_data(
    pipeline: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    text = pipeline.file.read_text()
    start, end = text.index("[consumers.archive]"), text.index("[network]")
    pipeline.file.write_text(text[:start] + text[end:])
    letters = pipeline.output("consumer-archive", "DeadLettersUrl")
    pipeline.session.client("sqs").send_message(QueueUrl=letters, MessageBody="{}")
    queue, stack = f"{pipeline.name}-archive-dead-letters", f"{pipeline.name}-consumer-archive"

    assert pipeline.run("plan") == 2
    said = capsys.readouterr().out
    assert f"{stack}  - remove: the file does not name it any more" in said
    assert f"DATA LOSS: queue {queue} (about 1 messages) is deleted; `up` wants --delete-data {queue}" in said
    before = pipeline.stacks()
    code, refused = pipeline.json(capsys, "up")
    assert (code, refused[-1]["error"]) == (1, "DataWouldBeLost")
    assert refused[-1]["next"].startswith(f"python -m deploy up --delete-data {queue} ")
    assert pipeline.stacks() == before

    code, done = pipeline.json(capsys, "up", "--delete-data", queue)

    assert (code, done[-1]["removed"], done[-1]["left"]) == (0, [stack], [])
    # The network loses the consumer's security group, after all others are as the file says.
    steps = [f"{one['stack'].removeprefix(pipeline.name)} {one['step']}" for one in done[:-1] if "step" in one]
    assert steps[-2:] == ["-network updating", "-network updated"]
    assert steps.index("-network updated") < steps.index("-consumer-delays unchanged") < len(steps) - 2
    assert pipeline.stacks() == before - {stack}
    assert pipeline.run("plan") == 0


def what_comes_after_the_first_look_stops_down_before_it_is_lost(pipeline: Place) -> None:
    """Dead letters of the last batch, say. The consumer goes on as if nothing had been."""
    account = Account("000000000000", "us-east-1", pipeline.session.client, emulated=True)
    heard: list[str] = []
    deployment = Deployment(account, pipeline.name, Artifacts("none", {}), Heard(heard), Patience(120, 0.2))
    name = f"{pipeline.name}-consumer-delays"
    queue = pipeline.output("consumer-delays", "OnFailureUrl")
    pipeline.session.client("sqs").purge_queue(QueueUrl=queue)
    (leaving,) = of_account(deployment, [state_of(account, name)])
    others = [one.name for one in leaving.held if one.holds]
    assert f"{pipeline.name}-delays-on-failure" not in others
    pipeline.session.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")

    with pytest.raises(DataWouldBeLost, match=r"on-failure \(about 1 messages\).*is as it was") as lost:
        take_down(deployment, [leaving], others)

    assert lost.value.then == f"down --delete-data {' '.join([*others, f'{pipeline.name}-delays-on-failure'])}"
    assert any("stopping its polling" in step for step in heard)
    assert not any(step.endswith("deleting") for step in heard)
    mapping = pipeline.output("consumer-delays", "MappingId")
    client = pipeline.session.client("lambda")
    assert within_a_minute(lambda: client.get_event_source_mapping(UUID=mapping)["State"] == "Enabled")
    assert pipeline.status_of("consumer-delays") == "UPDATE_COMPLETE"


def polling_that_was_left_off_is_told_and_put_right(pipeline: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """As by a ``down`` that was killed while it looked."""
    stack, client = f"{pipeline.name}-consumer-delays", pipeline.session.client("lambda")
    mapping = pipeline.output("consumer-delays", "MappingId")

    def within(state: str) -> bool:
        return within_a_minute(lambda: client.get_event_source_mapping(UUID=mapping)["State"] == state)

    client.update_event_source_mapping(UUID=mapping, Enabled=False)
    assert within("Disabled")

    capsys.readouterr()
    assert pipeline.run("status") == 0
    said = capsys.readouterr().out
    assert f"{stack}  Mapping is disabled, and the file says enabled = true" in said
    assert "Next: python -m deploy up " in said
    assert pipeline.run("plan") == 2
    assert "Mapping AWS::Lambda::EventSourceMapping (Enabled)" in capsys.readouterr().out
    code, done = pipeline.json(capsys, "up")
    assert (code, done[-1]["result"][stack]) == (0, "updated")
    assert within("Enabled")
    code, (after,) = pipeline.json(capsys, "status")
    (row,) = (one for one in after["stacks"] if one["name"] == stack)
    assert row["polling"] == [{"name": "Mapping", "state": "Enabled", "on": True}]
    assert pipeline.run("plan") == 0


def down_keeps_data_until_it_is_named_and_leaves_nothing_else(
    pipeline: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, stream, table = f"{pipeline.name}-delays-ledger", f"{pipeline.name}-flights", f"{pipeline.name}-delays"
    bucket = pipeline.output("stream", "ArchiveBucketName")
    dynamodb, kinesis = pipeline.session.client("dynamodb"), pipeline.session.client("kinesis")
    dynamodb.put_item(TableName=ledger, Item={"scope": {"S": "s"}, "position": {"S": "p"}})
    dynamodb.put_item(TableName=table, Item={"carrier": {"S": "s"}, "day": {"S": "p"}})
    pipeline.session.client("s3").put_object(Bucket=bucket, Key="a", Body=b"")
    before = pipeline.stacks()

    code, (refused,) = pipeline.json(capsys, "down")
    assert (code, refused["error"]) == (1, "DataWouldBeLost")
    assert ledger in refused["next"]
    assert pipeline.stacks() == before

    queues = [f"{pipeline.name}-delays-{queue}" for queue in ("dead-letters", "on-failure")]
    code, said = pipeline.json(capsys, "down", "--delete-data", ledger, *queues)
    assert code == 0
    assert {one["name"] for one in said[-1]["result"]["left"]} == {stream, table, bucket}
    assert pipeline.stacks() == set()
    assert stream in kinesis.list_streams()["StreamNames"]

    assert pipeline.run("down", "--delete-data", stream, table, bucket) == 0

    def own(names: list[str]) -> list[str]:
        return [name for name in names if pipeline.name in name]

    iam = [role["RoleName"] for role in pipeline.session.client("iam").list_roles()["Roles"]]
    assert [name for name in own(iam) if "LogRole" not in name] == []
    assert within_a_minute(lambda: own(kinesis.list_streams()["StreamNames"]) == [])
    assert own(dynamodb.list_tables()["TableNames"]) == []
    assert own([one["Name"] for one in pipeline.session.client("s3").list_buckets()["Buckets"]]) == []
    assert own(pipeline.session.client("sqs").list_queues().get("QueueUrls", [])) == []
    functions = pipeline.session.client("lambda").list_functions()["Functions"]
    assert own([one["FunctionName"] for one in functions]) == []
    apis = pipeline.session.client("apigateway").get_rest_apis()["items"]
    assert own([one["name"] for one in apis]) == []


def test_a_pipeline_goes_up_works_changes_and_goes_down(pipeline: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """One test, because the pipeline takes its time to come up, and each step stands on the one before."""
    records_go_from_the_deployed_api_through_the_deployed_functions(pipeline, capsys)
    up_again_changes_nothing_and_says_what_localstack_skipped(pipeline, capsys)
    plan_shows_no_change_and_then_the_one_that_is_made(pipeline, capsys)
    status_tells_states_and_outputs(pipeline, capsys)
    what_the_file_does_not_name_any_more_goes_but_not_with_its_data(pipeline, capsys)
    what_comes_after_the_first_look_stops_down_before_it_is_lost(pipeline)
    polling_that_was_left_off_is_told_and_put_right(pipeline, capsys)
    down_keeps_data_until_it_is_named_and_leaves_nothing_else(pipeline, capsys)


def test_a_first_creation_that_failed_is_named_and_created_anew(
    small: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    kinesis = small.session.client("kinesis")
    kinesis.create_stream(StreamName=f"{small.name}-s", ShardCount=1)
    code, said = small.json(capsys, "up")
    assert (code, said[-1]["error"]) == (1, "NameTaken")
    assert "--replace-failed" in said[-1]["next"]
    assert small.status_of("stream") == "ROLLBACK_COMPLETE"

    code, said = small.json(capsys, "up")
    assert (code, said[-1]["error"]) == (1, "StackFailed")
    assert "up --replace-failed" in said[-1]["next"]
    code, said = small.json(capsys, "status")
    assert (code, said[-1]["stacks"][0]["status"]) == (1, "ROLLBACK_COMPLETE")

    kinesis.delete_stream(StreamName=f"{small.name}-s")
    assert within_a_minute(lambda: f"{small.name}-s" not in kinesis.list_streams()["StreamNames"])
    assert small.run("up", "--replace-failed") == 0
    assert small.status_of("stream") == "CREATE_COMPLETE"


def test_what_an_interrupted_up_has_begun_is_taken_up_again(
    small: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was ended between making the change set and executing it; the templates then go through the bucket."""
    small.session.client("cloudformation").create_change_set(
        StackName=f"{small.name}-stream",
        ChangeSetName="interrupted",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
    )
    assert small.status_of("stream") == "REVIEW_IN_PROGRESS"
    assert small.run("plan") == 2
    monkeypatch.setattr(artifacts, "BODY_LIMIT", 100)

    assert small.run("up") == 0

    assert small.status_of("stream") == "CREATE_COMPLETE"
    bucket = f"{small.name}-artifacts-000000000000-us-east-1"
    kept = small.session.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert {one["Key"].rpartition("-")[0] for one in kept} == {
        f"templates/{small.name}-stream",
        f"templates/{small.name}-monitoring",
    }
    assert small.run("down", "--delete-data", f"{small.name}-s") == 0
    assert bucket not in [one["Name"] for one in small.session.client("s3").list_buckets()["Buckets"]]


def test_a_stack_that_somebody_else_made_is_left_alone(small: Place, capsys: pytest.CaptureFixture[str]) -> None:
    small.session.client("cloudformation").create_stack(
        StackName=f"{small.name}-stream",
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
    )
    assert within_a_minute(lambda: small.status_of("stream") == "CREATE_COMPLETE")
    for command in ("plan", "up", "down"):
        code, said = small.json(capsys, command)
        assert (code, said[-1]["error"]) == (1, "NameTaken")
    assert small.status_of("stream") == "CREATE_COMPLETE"


def test_the_credentials_of_another_account_are_refused(small: Place, capsys: pytest.CaptureFixture[str]) -> None:
    small.file.write_text('account = "123456789012"\n' + small.file.read_text())
    code, said = small.json(capsys, "plan")
    assert (code, said[-1]["error"]) == (1, "WrongAccount")


def test_an_up_that_is_interrupted_at_work_is_finished_by_the_next(small: Place) -> None:
    """Ctrl-C in a process of its own, while CloudFormation makes the stream: it goes on by itself, and is waited for."""
    where = ["--config", str(small.file), "--endpoint-url", small.endpoint_url]
    command = [sys.executable, "-m", "deploy", "up", *where, "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = (json.loads(line) for line in process.stdout)
        assert any(line == {"stack": f"{small.name}-stream", "step": "creating"} for line in told)
        process.send_signal(signal.SIGINT)
        last = list(told)[-1]
    assert process.returncode == 130
    assert last["error"] == "Interrupted"
    assert last["next"].startswith("python -m deploy up --config")

    assert small.run("up") == 0
    assert small.status_of("stream") == small.status_of("monitoring") == "CREATE_COMPLETE"
    assert small.run("plan") == 0


def test_another_account_than_the_files_is_refused_before_anything_is_done(
    small: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    small.file.write_text(f'account = "111111111111"\n{small.file.read_text()}')
    code, (said,) = small.json(capsys, "up")
    assert (code, said["error"], said["next"]) == (1, "WrongAccount", "aws sts get-caller-identity")
    assert small.stacks() == set()
