"""What the system knows about a process: whether it exists, and where it listens. Linux only: it reads /proc."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LISTENING = "0A"


def exists(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def listeners(pid: int) -> set[tuple[str, int]]:
    """The TCP addresses and ports that a process listens on."""
    open_files = _open_files(pid)
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in open_files:
                address, port = fields[1].split(":")
                words = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
                found.add((socket.inet_ntop(family, words), int(port, 16)))
    return found


def udp_addresses(pid: int) -> set[str]:
    """The local addresses of a process's UDP sockets, as the kernel writes them."""
    open_files = _open_files(pid)
    return {
        fields[1]
        for table in ("udp", "udp6")
        for fields in map(str.split, Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:])
        if f"socket:[{fields[9]}]" in open_files
    }


def family_of(pid: int) -> set[int]:
    """A process and all that descend from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended since
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _open_files(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            found.add(str(link.readlink()))
    return found


def within_a_minute(holds: Callable[[], bool]) -> bool:
    """Wait for something that another process does.

    The minute is for a machine under load, and is one of looks: it lasts longer where they take longer.
    """
    for _ in range(3_000):
        if holds():
            return True
        time.sleep(0.02)
    return holds()
