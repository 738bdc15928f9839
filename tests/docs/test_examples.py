"""The examples work as their docstrings say: together, on one pipeline."""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.config import load
from deploy.synthesis import stacks
from tests.docs.pages import ROOT
from tests.support.commands import Running, kstream
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "examples"
CURL = ROOT / "tests" / "docs" / "curl.py"


@pytest.mark.integration
def test_the_examples_work(tmp_path: Path) -> None:
    """An order by the printed curl line, 2,000 by put_orders.py, added up by one consumer and stored by another."""
    with Running("dev", str(EXAMPLES / "order_totals.py"), "--port", "0", cwd=tmp_path) as dev:
        dev.wait_for("OrderTotals reads stream order-totals")
        [line] = [line for line in dev.said.splitlines() if line.startswith("Put a record")]
        [curl, *arguments] = shlex.split(line.removeprefix("Put a record"))
        assert curl == "curl"
        subprocess.run([sys.executable, str(CURL), *arguments], check=True, capture_output=True, timeout=120)
        dev.wait_for("c-7: 12.50\n")

        url = json.loads((tmp_path / ".kstream" / "dev.json").read_text())["ingest_url"]
        put = subprocess.run(
            [sys.executable, str(EXAMPLES / "put_orders.py"), url],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=120,
        )
        assert put.stdout == b"2,000 orders put, 0 failed, 0 sent again\n"
        assert within_a_minute(lambda: "received 2,001  processed 2,001" in dev.said)
        spent = sum(1 + number % 50 for number in range(2_000) if number % 10 == 7)
        assert f"c-7: {12.5 + spent:.2f}\n" in dev.said

        stored = kstream("consume", str(EXAMPLES / "order_table.py"), "--once-through", "--hurry", cwd=tmp_path)
        assert stored.returncode == 0, stored.stderr
        assert dev.interrupt() == 0
    orders = sqlite3.connect(tmp_path / "orders.sqlite")
    assert orders.execute("SELECT count(*), sum(amount) FROM orders WHERE customer = 'c-7'").fetchone() == (
        201,
        12.5 + spent,
    )
    orders.close()


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda file: file.name)
def test_a_pipeline_can_be_made_of_the_configuration(file: Path) -> None:
    assert {stack.role for stack in stacks(load(file))} >= {"stream", "monitoring"}


def test_there_is_no_example_that_nobody_runs() -> None:
    assert {file.name for file in EXAMPLES.iterdir() if file.is_file() and file.suffix != ".toml"} == {
        "order_totals.py",
        "put_orders.py",
        "order_table.py",
    }
