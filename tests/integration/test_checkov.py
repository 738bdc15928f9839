"""checkov finds nothing in the templates but what deploy/checkov.yaml passes over, each with its reason."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from deploy.synthesis import stacks
from tests.golden.deploy import CASES, ROOT, pipeline

_SKIPS = ROOT / "deploy" / "checkov.yaml"
_CHECKOV = Path(sys.prefix, "share", "checkov", "bin", "checkov")


def test_checkov_finds_nothing_that_has_no_reason(tmp_path: Path) -> None:
    for case in CASES:
        (tmp_path / case).mkdir()
        for stack in stacks(pipeline(case)):
            (tmp_path / case / f"{stack.name}.json").write_text(stack.body)
    assert _CHECKOV.exists(), "run `make install`, which puts checkov into an environment of its own"
    run = subprocess.run(
        [_CHECKOV, "--config-file", _SKIPS, "--directory", tmp_path, "--framework", "cloudformation", "--skip-download",
         "--quiet", "--compact", "--output", "json"],
        capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    report = json.loads(run.stdout)

    failed = [f"{one['check_id']} {one['file_path']} {one['resource']}" for one in report["results"]["failed_checks"]]
    assert failed == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 200
    assert run.returncode == 0


def test_each_skip_stands_below_its_reason() -> None:
    lines = _SKIPS.read_text().splitlines()
    skips = [number for number, line in enumerate(lines) if line.startswith("  - ")]

    assert skips
    assert [lines[number] for number in skips if not re.match(r"  # .{10,}", lines[number - 1])] == []
