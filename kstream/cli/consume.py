"""``kstream consume``: a consumer, run over a stream."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kstream.cli import options  # noqa: TC001 - typer reads the annotations
from kstream.cli.failures import FAILED, INTERRUPTED, told_plainly
from kstream.local.state_dir import StateDir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kstream.cli.consuming import Consuming
    from kstream.cli.output import Output
    from kstream.core.ports import Clock


def consume(
    path: Annotated[str, typer.Argument(metavar="PATH[:NAME]", help="The consumer: a file, a folder, or a module.")],
    stream: options.Stream = None,
    endpoint_url: options.EndpointUrl = None,
    region: options.Region = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Run it under another name: its own checkpoints, ledger, dead letters."),
    ] = None,
    once_through: Annotated[
        bool, typer.Option("--once-through", help="End once nothing is left to read or deliver.")
    ] = False,
    until_idle: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End once nothing has come for so long.")
    ] = None,
    batch_size: options.BatchSize = 100,
    batching_window: options.BatchingWindow = 0,
    starting_position: options.StartingPosition = "trim",
    max_retries: options.MaxRetries = -1,
    max_age: options.MaxAge = -1,
    bisect: options.Bisect = False,
    parallelization_factor: options.ParallelizationFactor = 1,
    timeout: options.Timeout = 60,
    hurry: options.Hurry = False,
    metrics_port: options.MetricsPort = None,
    state_dir: options.StateDirectory = Path(".kstream"),
    json: options.Json = False,
    debug: options.Debug = False,
    end_with_parent: Annotated[bool, typer.Option("--end-with-parent", hidden=True)] = False,
) -> None:
    """Run a consumer over a stream, as Lambda's event source mapping would.

    It goes on behind the checkpoints in the state directory. Ctrl-C finishes the batch in hand and stores the
    checkpoint; a second one ends at once, and that batch comes again.

    [PATH] consumers/order_totals.py, a folder with a consumer.py, or shop.consumers.orders; with :NAME where the module
    holds several consumers.
    """
    with told_plainly(debug=debug), ExitStack() as stack:
        from kstream.cli.connection import connection
        from kstream.cli.consuming import Consuming, Function
        from kstream.cli.output import Output, log_to_stderr
        from kstream.cli.ports import check_ports
        from kstream.cli.standard_output import for_objects_alone, watched
        from kstream.cli.times import starting_position as place
        from kstream.core.mapping import EventSourceMapping
        from kstream.local.loading import load
        from kstream.local.target import target_of
        from kstream.settings import Settings

        log_to_stderr()
        check_ports(metrics_port=metrics_port)
        mapping = EventSourceMapping(
            batch_size=batch_size,
            batching_window=batching_window,
            parallelization_factor=parallelization_factor,
            starting_position=place(starting_position),
            maximum_retry_attempts=max_retries,
            maximum_record_age=max_age,
            bisect_on_error=bisect,
        )
        reader = stack.enter_context(watched())
        output = Output(json=json)
        if json:
            stack.enter_context(for_objects_alone())
        state = StateDir(state_dir)
        where = connection(state, stream=stream, endpoint_url=endpoint_url, region=region)
        handler = load(target_of(path))
        if name:
            handler.consumer = replace(handler.consumer, name=name)
        settings = Settings.from_environment()
        consuming = Consuming(handler, where, mapping, Function(timeout, hurry), state, settings)
        with _metrics(consuming, metrics_port, (settings.service, where.stream, consuming.name)) as address, consuming:
            output.say(f"{consuming.name} reads {where}", style="bold")
            if consuming.defaults:
                output.say(f"It names none, so: {'; '.join(consuming.defaults)}", style="dim")
            if address:
                output.say(f"Metrics at {address}", style="dim")
            reader.when_gone(consuming.runner.stop)
            _run(consuming, output, once_through=once_through, until_idle=until_idle, end_with_parent=end_with_parent)
        if reader.gone:
            raise typer.Exit(FAILED)


@contextmanager
def _metrics(consuming: Consuming, port: int | None, labels: tuple[str, str, str]) -> Iterator[str | None]:
    """Serves the consumer's numbers if a port is given, and says where."""
    if port is None:
        yield None
        return
    from kstream.cli.metrics_server import RunnerNumbers, served
    from kstream.telemetry.prometheus import Prometheus

    telemetry = Prometheus(service=labels[0])
    consuming.watch(telemetry)
    telemetry.registry.register(RunnerNumbers(consuming.tally, labels))
    with served(telemetry.registry, port) as address:
        yield address


def _run(
    consuming: Consuming, output: Output, *, once_through: bool, until_idle: float | None, end_with_parent: bool
) -> None:
    from kstream.cli.consume_view import ConsumeView
    from kstream.clock import SystemClock
    from kstream.local.consumer_process import end_with_parent as watch_parent
    from kstream.local.stop_signals import StopSignals

    runner, clock = consuming.runner, SystemClock()
    view = ConsumeView(consuming.tally, output, clock)

    def at_once() -> None:
        view.show_printed()
        output.console.show_cursor()
        os._exit(INTERRUPTED)

    if end_with_parent:
        threading.Thread(target=watch_parent, args=(runner.stop,), name="end-with-parent", daemon=True).start()
    until: Callable[[], bool] | None = None
    if once_through:
        until = lambda: runner.caught_up  # noqa: E731
    elif until_idle is not None:
        until = _idle_for(until_idle, consuming, clock)
    with StopSignals() as signals:
        signals.arm(runner.stop, at_once)
        with view:
            runner.run(until)


def _idle_for(seconds: float, consuming: Consuming, clock: Clock) -> Callable[[], bool]:
    """Whether the runner has been through for ``seconds``, and nothing came meanwhile."""
    since = clock.monotonic()
    batches = 0

    def idle() -> bool:
        nonlocal since, batches
        now, count = clock.monotonic(), consuming.tally.counts.batches
        if count != batches or not consuming.runner.caught_up:
            since, batches = now, count
        return now - since >= seconds

    return idle
