"""A pipeline of a test in LocalStack: deployed, asked and taken away by the commands themselves."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.__main__ import main
from tests.docs.pages import ROOT
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.support.localstack.clients import Clients


@dataclass
class Place:
    """A folder with a ``pipeline.toml``, and where it is deployed to."""

    name: str
    folder: Path
    endpoint_url: str
    session: Clients

    @property
    def file(self) -> Path:
        return self.folder / "pipeline.toml"

    def run(self, command: str, *options: str) -> int:
        where = ["--config", str(self.file), "--endpoint-url", self.endpoint_url]
        return main([command, *where, *options])

    def json(self, capsys: pytest.CaptureFixture[str], command: str, *options: str) -> tuple[int, list[Any]]:
        """The exit code, and the lines of JSON."""
        capsys.readouterr()
        code = self.run(command, "--json", *options)
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def status_of(self, role: str) -> str:
        stack = f"{self.name}-{role}"
        return str(self.session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    def stacks(self) -> set[str]:
        pages = self.session.client("cloudformation").get_paginator("describe_stacks").paginate()
        found = {one["StackName"]: one["StackStatus"] for page in pages for one in page["Stacks"]}
        return {name for name, status in found.items() if self.name in name and status != "DELETE_COMPLETE"}

    def output(self, role: str, name: str) -> str:
        found = self.session.client("cloudformation").describe_stacks(StackName=f"{self.name}-{role}")["Stacks"][0]
        return str({one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}[name])

    def messages(self, queue: str) -> list[Any]:
        """The messages that it comes to, which stay in it."""
        sqs = self.session.client("sqs")
        found: list[Any] = []

        def come() -> bool:
            answer = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, WaitTimeSeconds=1)
            found.extend(json.loads(message["Body"]) for message in answer.get("Messages", ()))
            return bool(found)

        assert within_a_minute(come)
        return found


@contextmanager
def place(folder: Path, endpoint_url: str, session: Clients, text: str) -> Iterator[Place]:
    """Takes away what is left at the end, with its data."""
    name = f"d{uuid.uuid4().hex[:10]}"
    (folder / "pipeline.toml").write_text(text.format(name=name, root=ROOT))
    found = Place(name, folder, endpoint_url, session)
    yield found
    for stack in sorted(found.stacks(), reverse=True):
        session.client("cloudformation").delete_stack(StackName=stack)
