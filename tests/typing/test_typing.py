"""The public types, as a user's own mypy sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def test_mypy_strict_agrees(tmp_path: Path) -> None:
    """In a folder and with a cache of its own, so that no setting of this project has a say."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent"]
    command += [
        "--warn-unused-ignores",
        "--cache-dir",
        str(tmp_path),
        str(HERE / "accepted.py"),
        str(HERE / "refused.py"),
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)
    assert run.returncode == 0, run.stdout + run.stderr
