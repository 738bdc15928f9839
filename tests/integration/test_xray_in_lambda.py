"""A process that the X-Ray SDK takes for Lambda, and a socket where it expects the daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.tracers import INVOCATION
from tests.support.xray_daemon import daemon

PROGRAM = """
import asyncio, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from aws_xray_sdk.core import patch, xray_recorder
from aws_xray_sdk.core.lambda_launcher import LambdaContext
from kstream import Consumer, Handler, on_lambda
from kstream.testing import LambdaContext as Context
from kstream.testing import kinesis_event

assert type(xray_recorder.context) is LambdaContext
patch(["boto3"])


class Table(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Table)
threading.Thread(target=server.serve_forever, daemon=True).start()
table = boto3.client(
    "dynamodb", endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="us-east-1",
    aws_access_key_id="test", aws_secret_access_key="test",
)


class Threads(Handler):
    def process(self, record):
        self.telemetry.annotate("customer", record.partition_key)
        table.get_item(TableName=record.partition_key, Key={"id": {"S": "1"}})
        if record.partition_key == "c-3":
            raise ValueError("no such customer")


class Tasks(Handler):
    async def process(self, record):
        self.telemetry.annotate("customer", record.partition_key)
        await asyncio.to_thread(table.get_item, TableName=record.partition_key, Key={"id": {"S": "1"}})
        if record.partition_key == "c-3":
            raise ValueError("no such customer")


handler = {"threads": Threads, "tasks": Tasks}[sys.argv[1]]
lambda_handler = on_lambda(Consumer(handler, ordering="partition_key", max_workers=4))
event = kinesis_event([({"note": "never to be traced"}, f"c-{index % 4}") for index in range(8)])
answer = lambda_handler(event, Context(timeout=30))
assert len(answer["batchItemFailures"]) == 1
server.shutdown()
"""


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_patched_calls_stand_under_their_records_in_threads_and_tasks(way: str) -> None:
    with daemon() as listening:
        environment = {
            **os.environ,
            "AWS_LAMBDA_FUNCTION_NAME": "order-totals",
            "LAMBDA_TASK_ROOT": "/var/task",
            "_X_AMZN_TRACE_ID": INVOCATION,
            "AWS_XRAY_DAEMON_ADDRESS": listening.address,
            "KSTREAM_TRACING": "xray",
            "KSTREAM_TRACE_RECORDS": "1",
            "KSTREAM_METRICS": "off",
        }
        subprocess.run([sys.executable, "-c", PROGRAM, way], env=environment, check=True, timeout=120)
        documents = listening.documents()
    by_id: dict[str, dict[str, Any]] = {document["id"]: document for document in documents}
    [top] = [document for document in documents if document["parent_id"] == "53995c3f42cd8ad8"]
    assert top["name"] == way.capitalize()
    assert top["annotations"]["outcome"] == "incomplete"
    assert {document["trace_id"] for document in documents} == {"1-5759e988-bd862e3fe1be46a994272793"}
    calls = [document for document in documents if document["name"] == "dynamodb"]
    assert {call["aws"]["operation"] for call in calls} == {"GetItem"}
    tables = [(call["aws"]["table_name"], by_id[call["parent_id"]]) for call in calls]
    assert {table for table, _ in tables} == {"c-0", "c-1", "c-2", "c-3"}
    assert all(record["annotations"]["customer"] == table for table, record in tables)
    assert all(record["parent_id"] == top["id"] for _, record in tables)
    assert [record["cause"] for table, record in tables if table == "c-3" and "fault" in record]
    assert "never to be traced" not in str(documents)
