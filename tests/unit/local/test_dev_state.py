"""One pipeline for each state directory, and where the others find it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kstream.core.errors import ConfigurationError
from kstream.local.dev_state import DevState, announce, only_one, running
from kstream.local.locks import held, is_held
from kstream.local.state_dir import StateDir

STATE = DevState(os.getpid(), 1, "http://127.0.0.1:1", "http://127.0.0.1:2", ("orders", "clicks"))


def test_a_running_pipeline_is_found_until_it_ends(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path / "state")
    assert running(state_dir) is None

    with only_one(state_dir):
        assert running(state_dir) is None
        announce(state_dir, STATE)
        assert running(state_dir) == STATE

    assert running(state_dir) is None
    assert not state_dir.dev_file.exists()


def test_a_second_pipeline_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path)
    with (
        only_one(state_dir),
        pytest.raises(ConfigurationError, match=rf"runs in .* already \(process {os.getpid()}\).*--state-dir"),
        only_one(state_dir),
    ):
        pass


def test_what_a_killed_pipeline_leaves_is_taken_over(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path)
    code = f"""
import os
from pathlib import Path
from kstream.local.dev_state import DevState, announce, only_one
from kstream.local.state_dir import StateDir
with only_one(StateDir(Path({str(tmp_path)!r}))):
    announce(StateDir(Path({str(tmp_path)!r})), DevState(os.getpid(), 1, "a", "b", ("c",)))
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert state_dir.dev_file.exists()

    assert running(state_dir) is None
    with only_one(state_dir):
        assert running(state_dir) is None


def test_a_lock_names_its_holder_and_is_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.lock"
    assert not is_held(path)
    with held(path, "busy"):
        assert is_held(path)
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(ConfigurationError, match=f"held by {os.getpid()}"), held(path, "held by {pid}"):
            pass
    assert not is_held(path)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cannot write .*file.*--state-dir"), held(tmp_path / "file/x", ""):
        pass


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", ".hidden", "Zürich \n"])
def test_a_consumers_name_stays_in_the_directory(name: str) -> None:
    root = Path("/state")
    state_dir = StateDir(root)

    for path in (state_dir.dead_letters(name), state_dir.on_failure(name), state_dir.consumer_lock(name)):
        assert path.parent.parent == root
        assert not path.name.startswith(".")
