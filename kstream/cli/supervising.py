"""Keeps a consumer running, and starts it anew whenever its code changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import PythonFilter, watch

from kstream.core.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kstream.cli.output import Output
    from kstream.local.consumer_process import ConsumerProcess
    from kstream.local.pipeline import Pipeline
    from kstream.local.stop_signals import StopSignals

_LOOK_EVERY_MS = 100


def changes(folder: Path, *, recursive: bool, signals: StopSignals) -> Iterator[Sequence[Path]]:
    """The Python files that changed, and nothing about ten times a second in between. Ends when told to stop."""
    for changed in watch(
        folder,
        watch_filter=PythonFilter(),
        rust_timeout=_LOOK_EVERY_MS,
        yield_on_timeout=True,
        stop_event=signals.stopping,
        recursive=recursive,
        raise_interrupt=False,
    ):
        yield sorted({Path(path) for _, path in changed})


def supervise(
    process: ConsumerProcess,
    changed_files: Iterator[Sequence[Path]],
    pipeline: Pipeline,
    output: Output,
    signals: StopSignals,
    *,
    patience: float,
) -> None:
    """Runs the consumer until told to stop. ``patience``: seconds that a batch in hand may take to end.

    A consumer that ends by itself (it does not import, say) has told why; it is started again at the next change.
    Raises ``EmulatorError`` if the embedded Kinesis ends by itself.
    """
    # The first look starts the watching, so that no change after the start goes unseen.
    next(changed_files, None)
    process.start()
    try:
        for changed in changed_files:
            if not pipeline.emulator_alive:
                raise EmulatorError("the embedded Kinesis has ended by itself; start kstream dev again")
            code = process.ended()
            if code is not None:
                reason = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                output.say(f"The consumer ended {reason}. All else keeps running; save its file to start it again.")
            if changed:
                names = ", ".join(os.path.relpath(path) for path in changed[:3])
                _stop(process, output, signals, patience)
                if not signals.stopping.is_set():
                    # Said only now: the consumer may have a live view on the terminal while it runs.
                    output.say(f"Changed: {names}{', ...' if len(changed) > 3 else ''}; the consumer starts anew")
                    process.start()
    finally:
        _stop(process, output, signals, patience)


def _stop(process: ConsumerProcess, output: Output, signals: StopSignals, patience: float) -> None:
    ended = process.stop(
        patience=patience,
        hurry=signals.hurrying.is_set,
        slow=lambda: output.say("Waiting for the consumer to finish the batch in hand (Ctrl-C twice ends it at once)"),
    )
    if not ended:
        output.say("The consumer did not end in time and was killed: its batch will be delivered again")
