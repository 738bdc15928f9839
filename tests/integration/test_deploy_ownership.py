"""What holds data is deleted only if it says that it is this pipeline's, and only as it is at that moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploy.config import load
from deploy.naming import OWNER_TAG
from deploy.stack.account import Account
from deploy.stack.artifacts import remove
from deploy.stack.deletion import take_down
from deploy.stack.deployment import Deployment
from deploy.stack.following import Patience
from deploy.stack.leaving import of_account, of_file
from deploy.stack.state import state_of
from deploy.stack.values import Artifacts
from deploy.synthesis import stacks
from tests.support.deployed import place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploy.stack.following import Event
    from tests.support.deployed import Place
    from tests.support.localstack.clients import Clients

STORES = """
name = "{name}"
[streams.s]
physical_name = "{name}-s"
mode = "provisioned"
shards = 1
[tables.t]
physical_name = "{name}-t"
partition_key = "k"
[buckets.b]
physical_name = "{name}-b"
"""
KEY = {"AttributeName": "k", "AttributeType": "S"}


class Quiet:
    def step(self, stack: str, what: str) -> None: ...

    def event(self, event: Event) -> None: ...


class Stores:
    """The pipeline's stream, table and bucket, as the services see them."""

    def __init__(self, at: Place) -> None:
        self.at = at
        self.stream, self.table, self.bucket = (f"{at.name}-{letter}" for letter in "stb")
        self.kinesis, self.dynamodb, self.s3 = (at.session.client(name) for name in ("kinesis", "dynamodb", "s3"))

        self.account = Account("000000000000", "us-east-1", at.session.client, emulated=True)

    def make_by_hand(self) -> None:
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=1)
        self.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[KEY],
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        )
        self.s3.create_bucket(Bucket=self.bucket)

    def there(self) -> set[str]:
        streams = {name for name in self.kinesis.list_streams()["StreamNames"] if self._stays(name)}
        buckets = {one["Name"] for one in self.s3.list_buckets()["Buckets"]}
        every = streams | set(self.dynamodb.list_tables()["TableNames"]) | buckets
        return {name for name in every if self.at.name in name}

    def _stays(self, stream: str) -> bool:
        """A deleted one is listed for a while."""
        try:
            found = self.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
        except self.kinesis.exceptions.ResourceNotFoundException:
            return False
        return bool(found["StreamStatus"] != "DELETING")

    @property
    def deployment(self) -> Deployment:
        return Deployment(self.account, self.at.name, Artifacts("none", {}), Quiet(), Patience(60, 0.2))

    @property
    def all(self) -> set[str]:
        return {self.stream, self.table, self.bucket}

    def put(self) -> None:
        self.dynamodb.put_item(TableName=self.table, Item={"k": {"S": "1"}})
        self.s3.put_object(Bucket=self.bucket, Key="a", Body=b"")


@pytest.fixture
def stores(tmp_path: Path, localstack: str, localstack_session: Clients) -> Iterator[Stores]:
    with place(tmp_path, localstack, localstack_session, STORES) as at:
        made = Stores(at)
        yield made
        for name in made.there():
            if name == made.stream:
                made.kinesis.delete_stream(StreamName=name)
            elif name == made.table:
                made.dynamodb.delete_table(TableName=name)
            else:
                remove(made.account, name, content=True)


def test_a_name_in_the_file_is_no_proof(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    """Made by hand, and empty: without any ``up``, or after one that failed over it."""
    stores.make_by_hand()

    code, said = stores.at.json(capsys, "down")
    assert code == 0
    assert {one["name"] for one in said[-1]["result"]["not_ours"]} == stores.all
    assert said[-1]["result"]["deleted"] == []
    for name in stores.all:
        code, said = stores.at.json(capsys, "down", "--delete-data", name)
        assert (code, said[-1]["error"]) == (1, "ChangeRefused")
        assert OWNER_TAG in said[-1]["message"]
    # S3 in us-east-1 lets an owner create a bucket twice, and LocalStack's CloudFormation does not look before.
    stores.s3.delete_bucket(Bucket=stores.bucket)
    assert stores.at.run("up") == 1
    assert stores.at.run("down") == 0

    assert {stores.stream, stores.table} <= stores.there()


def test_another_pipelines_data_stays(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    """Whose file has the same ``physical_name``: a copy of the file, say."""
    assert stores.at.run("up") == 0
    own = stores.at.file.read_text()
    stores.at.file.write_text(own.replace(f'name = "{stores.at.name}"\n', f'name = "{stores.at.name}-dev"\n', 1))

    code, said = stores.at.json(capsys, "down")
    assert code == 0
    assert {one["name"] for one in said[-1]["result"]["not_ours"]} == stores.all
    assert stores.at.run("down", "--delete-data", stores.stream) == 1

    assert stores.all <= stores.there()
    stores.at.file.write_text(own)
    assert stores.at.run("down", "--delete-data", stores.stream) == 0
    assert stores.there() == set()


def test_what_a_down_left_is_still_this_pipelines(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    assert stores.at.run("up") == 0
    stores.put()
    code, said = stores.at.json(capsys, "down")
    assert code == 0
    assert {one["name"] for one in said[-1]["result"]["left"]} == stores.all
    assert stores.at.stacks() == set()

    names = ["--delete-data", *sorted(stores.all)]
    assert stores.at.run("down", *names) == 0
    assert stores.there() == set()
    assert stores.at.run("down", *names) == 0, "the same once more, as after an interruption"


def test_what_comes_while_down_works_is_not_deleted(stores: Stores) -> None:
    """Empty when it began, and looked at again when its turn has come."""
    assert stores.at.run("up") == 0
    deployment = stores.deployment
    leaving = of_file(deployment, stacks(load(stores.at.file)))
    assert {one.name: one.holds for stack in leaving for one in stack.held if one.kind != "stream"} == {
        stores.table: "",
        stores.bucket: "",
    }
    stores.put()

    taken = take_down(deployment, leaving, [])

    assert {one.name: one.holds for one in taken.left if one.kind != "stream"} == {
        stores.table: "items",
        stores.bucket: "objects",
    }
    assert stores.all <= stores.there()


def edited(at: Place, *tables: str) -> None:
    """Takes tables of TOML out of the file."""
    text = at.file.read_text()
    for table in tables:
        start = text.index(f"[{table}]")
        text = text[:start] + text[text.index("\n[", start) + 1 :]
    at.file.write_text(text)


def test_up_leaves_what_is_taken_out_of_the_file_and_says_so(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a stack that stays, and with the stack itself; empty as they are."""
    assert stores.at.run("up") == 0
    edited(stores.at, "tables.t")
    code, said = stores.at.json(capsys, "plan")
    (change,) = (change for stack in said[-1]["stacks"] for change in stack["changes"] if change["action"] == "remove")
    assert (code, change["loses_data"], change["leaves_data"]) == (2, False, True)
    code, said = stores.at.json(capsys, "up")
    assert (code, [one["name"] for one in said[-1]["left"]], said[-1]["deleted"]) == (0, [stores.table], [])

    assert stores.at.run("plan") == 0
    assert stores.all <= stores.there()


@pytest.mark.parametrize("named", [False, True])
def test_up_deletes_of_a_stack_that_goes_what_is_named_and_nothing_else(stores: Stores, *, named: bool) -> None:
    """Also where it is empty: ``plan`` has said that it stays."""
    assert stores.at.run("up") == 0
    deployment, wanted = stores.deployment, [stores.table] if named else []
    leaving = of_account(deployment, [state_of(deployment.account, f"{stores.at.name}-stream")])

    taken = take_down(deployment, leaving, wanted, command="up")

    assert taken.deleted == tuple(wanted)
    assert {one.name for one in taken.left} == stores.all - {*wanted} == stores.there() & stores.all


def test_a_mistyped_artifact_bucket_is_not_made(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    stores.at.file.write_text(f'artifact_bucket = "{stores.at.name}-oops"\n{stores.at.file.read_text()}')
    for command in ("plan", "up"):
        code, said = stores.at.json(capsys, command)
        assert (code, said[-1]["error"]) == (1, "NoSuchBucket")
    assert stores.there() == set()


def test_a_bucket_of_the_name_of_the_packages_is_not_ours_if_it_does_not_say_so(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = f"{stores.at.name}-artifacts-000000000000-us-east-1"
    stores.s3.create_bucket(Bucket=bucket)
    code, said = stores.at.json(capsys, "down")
    assert (code, [one["name"] for one in said[-1]["result"]["not_ours"]]) == (0, [bucket])
    assert bucket in stores.there()
    stores.s3.delete_bucket(Bucket=bucket)


def test_what_cannot_be_adopted_is_found_before_anything_is_made(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    """LocalStack has no import: the stream's stack comes after the network's."""
    text = stores.at.file.read_text()
    stores.at.file.write_text(text + PRIVATE)
    stores.make_by_hand()
    code, said = stores.at.json(capsys, "up", "--adopt")
    assert (code, said[-1]["error"]) == (1, "CannotAdopt")
    found: Any = stores.at.stacks()
    assert found <= {f"{stores.at.name}-stream"}


PRIVATE = """
[network]
zones = 2
[ingest]
private = true
callers = ["sg-0123456789abcdef0"]
[ingest.streams.s]
who = "iam"
"""
