"""Which pipeline runs in a state directory: one at a time, and where to reach it.

The lock decides whether one runs, never the file that tells about it: what a killed pipeline leaves is taken over.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from kstream.local.door import Lock
from kstream.local.locks import held, is_held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream.local.state_dir import StateDir


@dataclass(frozen=True, slots=True)
class DevState:
    """A running pipeline.

    ``pid``           of ``kstream dev``; ``emulator_pid`` of the embedded Kinesis.
    ``endpoint_url``  the embedded Kinesis; ``ingest_url`` the base of the ingest API.
    ``streams``       the first one is what the consumer reads.
    ``lock``          of the ingest API.
    """

    pid: int
    emulator_pid: int | None
    endpoint_url: str
    ingest_url: str
    streams: tuple[str, ...]
    lock: Lock = Lock.none


@contextmanager
def only_one(state_dir: StateDir) -> Iterator[None]:
    """Holds the state directory for one pipeline. Raises ``ConfigurationError`` if another holds it."""
    busy = f"a kstream dev runs in {state_dir.path} already (process {{pid}}): stop it, or give another --state-dir"
    with held(state_dir.dev_lock, busy):
        state_dir.dev_file.unlink(missing_ok=True)
        try:
            yield
        finally:
            state_dir.dev_file.unlink(missing_ok=True)


def announce(state_dir: StateDir, state: DevState) -> None:
    """Tells the other commands where the pipeline is. Whole or not at all: written beside, then renamed."""
    part = state_dir.dev_file.with_suffix(".part")
    part.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    part.replace(state_dir.dev_file)


def running(state_dir: StateDir) -> DevState | None:
    """The pipeline that runs in this state directory, if one does and has told where it is."""
    if not is_held(state_dir.dev_lock):
        return None
    try:
        told = json.loads(state_dir.dev_file.read_bytes())
        return DevState(**{**told, "streams": tuple(told["streams"]), "lock": Lock(told.get("lock", Lock.none))})
    except (OSError, ValueError, LookupError, TypeError):
        return None
