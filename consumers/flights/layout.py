"""Where one run of the demo keeps its files: a directory of its own under ``.kstream/demo``."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(".kstream", "demo")
DIRECTORY = "FLIGHTS_DEMO_DIR"
"""The environment variable that tells the consumer's process where that is."""
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of a run."""

    path: Path

    @property
    def sums(self) -> Path:
        """The sums, and beside them what is done: one file, so that both are committed together."""
        return self.path / "flights.sqlite"

    @property
    def dead_letters(self) -> Path:
        return self.path / "dead-letters"

    @property
    def chronicle(self) -> Path:
        return self.path / "chronicle.jsonl"

    @property
    def plan(self) -> Path:
        """Which attempts fail on purpose."""
        return self.path / "plan.json"

    @property
    def state(self) -> Path:
        """The state directory of ``kstream consume``: its checkpoints."""
        return self.path / "state"

    @property
    def consumer_log(self) -> Path:
        return self.path / "consumer.log"


@contextmanager
def fresh(home: Path = HOME) -> Iterator[Layout]:
    """An empty directory for a run, held until the context ends; what earlier runs left behind is removed.

    A lock tells a run that is under way from one that has ended, however it ended.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        for earlier in home.glob("run-*"):
            _remove_unless_held(earlier)
        path = Path(tempfile.mkdtemp(prefix="run-", dir=home)).absolute()
        lock = (path / _LOCK).open("w")
    except OSError as error:
        raise ConfigurationError(f"the demo cannot write into {home.absolute()}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Layout(path)


def _remove_unless_held(path: Path) -> None:
    try:
        with (path / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except OSError:
        # Without a lock it is another run's that has only just begun, or a remainder that hurts nobody.
        return
    shutil.rmtree(path, ignore_errors=True)
