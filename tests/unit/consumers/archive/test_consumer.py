"""The archive: every record in a line, and redelivery takes its own place."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from consumers.archive import consumer as archive
from consumers.archive.consumer import Archive
from consumers.archive.lines import object_name
from kstream import ConfigurationError, Consumer, on_lambda
from kstream.testing.events import LambdaContext, kinesis_event


class Bucket:
    """S3 as far as the archive calls it: an object of a name replaces the one before."""

    def __init__(self, *, failures: int = 0) -> None:
        self.objects: dict[str, bytes] = {}
        self._failures = failures

    def put_object(self, **request: Any) -> None:
        assert (request["Bucket"], request["ContentType"]) == ("b", "application/x-ndjson")
        if self._failures:
            self._failures -= 1
            raise ConnectionError("S3 is away")
        self.objects[request["Key"]] = request["Body"]

    def ids(self) -> list[str]:
        return [json.loads(line)["id"] for body in self.objects.values() for line in body.splitlines()]


def handler(bucket: Bucket) -> Any:
    client: Any = bucket
    return on_lambda(Consumer(lambda: Archive("b", "a/", client=client), name="archive"))


def batch(event: dict[str, Any], start: int, stop: int | None = None) -> dict[str, Any]:
    return {"Records": event["Records"][start:stop]}


@given(st.lists(st.binary(), min_size=1, max_size=8))
def test_each_record_is_one_line_with_its_payload(payloads: list[bytes]) -> None:
    bucket = Bucket()
    event = kinesis_event([(data, f"key-{number}") for number, data in enumerate(payloads)])
    assert handler(bucket)(event, LambdaContext()) == {"batchItemFailures": []}

    ((_, body),) = bucket.objects.items()
    lines = [json.loads(line) for line in body.split(b"\n")[:-1]]
    found = [base64.b64decode(line["dataBase64"]) if "dataBase64" in line else line["data"].encode() for line in lines]
    assert found == payloads
    assert [line["partitionKey"] for line in lines] == [f"key-{number}" for number in range(len(payloads))]


def test_a_batch_that_comes_again_is_written_over_itself() -> None:
    bucket = Bucket()
    event = kinesis_event([(b"%d" % number, "k") for number in range(5)])
    # Two environments, as after a crash between the write and the answer.
    handler(bucket)(event, LambdaContext())
    handler(bucket)(event, LambdaContext())

    assert len(bucket.objects) == 1
    assert len(bucket.ids()) == len(set(bucket.ids())) == 5


@given(cuts=st.lists(st.integers(1, 9), unique=True).map(sorted))
def test_a_batch_that_is_halved_doubles_and_loses_nothing(cuts: list[int]) -> None:
    """As bisecting cuts it: the whole was written, the answer lost, and the parts come one by one."""
    bucket = Bucket()
    event = kinesis_event([(b"%d" % number, "k") for number in range(10)])
    handler(bucket)(event, LambdaContext())
    whole = bucket.ids()
    for start, stop in zip([0, *cuts], [*cuts, 10], strict=True):
        handler(bucket)(batch(event, start, stop), LambdaContext())

    assert sorted(bucket.ids()) == sorted(whole)


def test_a_failed_write_brings_the_batch_back() -> None:
    bucket = Bucket(failures=100)
    event = kinesis_event([(b"1", "k"), (b"2", "k")])
    first = event["Records"][0]["kinesis"]["sequenceNumber"]

    assert handler(bucket)(event, LambdaContext()) == {"batchItemFailures": [{"itemIdentifier": first}]}
    assert bucket.objects == {}


def test_names_sort_as_records_do() -> None:
    from kstream.runtimes.lambda_event import batch_of

    event = kinesis_event([(b"x", "k")] * 12)
    names = []
    for number in range(12):
        records = list(batch_of(batch(event, number, number + 1)).records)
        names.append(object_name("a/", records))
    assert names == sorted(names)
    assert len(set(names)) == 12


def test_the_bucket_is_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(archive.BUCKET, "from-environment")
    client = boto3.client("s3")
    with Stubber(client) as stub:
        stub.add_response("put_object", {})
        made = Archive(client=client)
        made.open()
        calls: list[dict[str, Any]] = []
        client.meta.events.register("provide-client-params.s3", lambda params, **_: calls.append(params))
        event = kinesis_event([(b"x", "k")])
        on_lambda(Consumer(made))(event, LambdaContext())
    assert calls[0]["Bucket"] == "from-environment"
    assert calls[0]["Key"].startswith("archive/")
    monkeypatch.delenv(archive.BUCKET)
    with pytest.raises(ConfigurationError, match="ARCHIVE_BUCKET"):
        Archive(client=client).open()
