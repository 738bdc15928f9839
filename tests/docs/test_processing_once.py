"""The guide on processing once names a test for each promise: those tests exist."""

from __future__ import annotations

import ast
import re

from tests.docs.pages import ROOT, Page

GUIDE = Page("docs/guides/processing-once.md")


def test_every_promise_names_a_test_that_exists() -> None:
    promises = [line for line in GUIDE.section("What is promised, and what proves it").splitlines() if "::" in line]
    assert len(promises) >= 15
    for line in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, line
        for file, name in named:
            tests = {
                node.name
                for node in ast.parse((ROOT / file).read_text("utf-8")).body
                if isinstance(node, ast.FunctionDef)
            }
            assert name in tests, f"{file} has no {name}"


def test_every_promise_is_followed_by_its_proof() -> None:
    rows = [
        line for line in GUIDE.section("What is promised, and what proves it").splitlines() if line.startswith("| ")
    ]
    assert [row for row in rows[1:] if "::" not in row] == []
