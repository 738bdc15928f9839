"""How far putting is: a progress bar on a terminal, nothing in a pipe, where the summary says it all."""

from __future__ import annotations

import os
import stat
from typing import IO, TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from kstream.cli.output import Output
    from kstream.ingest.results import Progress as PutProgress


class ProduceView:
    """Shown from entering to leaving. ``name`` is the file's; ``lines`` is asked for its size, if it has one."""

    def __init__(self, output: Output, name: str, lines: IO[bytes]) -> None:
        size = _size(lines)
        self._bytes = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *([TextColumn("{task.percentage:>3.0f} %")] if size else []),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=output.console,
            disable=not output.terminal,
            transient=True,
        )
        label = "standard input" if name == "-" else os.path.basename(name)  # noqa: PTH119 - of any text
        self._task = self._bar.add_task(label, total=size, counts="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines as they are, with their bytes counted."""
        for line in lines:
            self._bytes += len(line)
            yield line

    def progress(self, now: PutProgress) -> None:
        """For ``IngestClient.put_all``."""
        counts = f"{now.put:,} put, {now.failed:,} failed, {now.retried:,} retried"
        self._bar.update(self._task, completed=self._bytes, counts=counts)


def _size(lines: IO[bytes]) -> int | None:
    try:
        status = os.fstat(lines.fileno())
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
