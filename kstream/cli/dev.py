"""``kstream dev``: the whole pipeline on this machine, kept running."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kstream.cli import options  # noqa: TC001 - typer reads the annotations
from kstream.cli.failures import told_plainly
from kstream.local.door import Lock
from kstream.local.state_dir import StateDir

if TYPE_CHECKING:
    from kstream.cli.output import Output
    from kstream.local.pipeline import Pipeline
    from kstream.local.target import Target

# The function's timeout, and some time to store the checkpoint.
_PATIENCE_S = 65.0


def dev(
    path: Annotated[
        str | None, typer.Argument(metavar="PATH[:NAME]", help="The consumer; by default the only one in consumers/.")
    ] = None,
    consume_options: Annotated[
        list[str] | None,
        typer.Argument(metavar="CONSUME_OPTIONS", help="For kstream consume, after --, such as -- --batch-size 10."),
    ] = None,
    stream: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A stream to make; may be repeated. The consumer reads the first. By default named after it.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Of the ingest API; by default 8080, or a free one if that is taken."),
    ] = None,
    lock: Annotated[Lock, typer.Option(help="Who may put: everybody, or whoever signs with the test key.")] = Lock.none,
    envelope: Annotated[
        bool, typer.Option("--envelope", help="Keep the trace headers of each request, for record.headers.")
    ] = False,
    kinesis_port: Annotated[int, typer.Option(metavar="PORT", help="Of the embedded Kinesis; 0 for a free one.")] = 0,
    shards: Annotated[int, typer.Option(metavar="N", help="Of each stream that is made.")] = 1,
    metrics_port: options.MetricsPort = None,
    watch: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder to watch; by default the consumer's own.")
    ] = None,
    state_dir: options.StateDirectory = Path(".kstream"),
    debug: options.Debug = False,
) -> None:
    """Run the whole pipeline on this machine: an embedded Kinesis, an HTTP API to put records, and your consumer.

    The consumer is started anew whenever one of its files changes. Ctrl-C stops everything and keeps it: the next start
    goes on where this one ended.

    The curl line that is printed puts the first JSON object found on a line of the module's docstring.
    """
    with told_plainly(debug=debug):
        from kstream.cli.output import Output, log_to_stderr
        from kstream.cli.ports import check_ports
        from kstream.local.finding import existing_target

        log_to_stderr()
        check_ports(port=port, kinesis_port=kinesis_port, metrics_port=metrics_port)
        named, target = existing_target(path)
        try:
            _dev(
                named,
                target,
                [*([] if metrics_port is None else ["--metrics-port", str(metrics_port)]), *(consume_options or [])],
                streams=stream,
                port=port,
                lock=lock,
                envelope=envelope,
                kinesis_port=kinesis_port,
                shards=shards,
                watch=watch,
                state=StateDir(state_dir),
                output=Output(),
            )
        except KeyboardInterrupt:
            raise typer.Exit from None


def _dev(
    named: str,
    target: Target,
    consume_options: list[str],
    *,
    streams: list[str] | None,
    port: int | None,
    lock: Lock,
    envelope: bool,
    kinesis_port: int,
    shards: int,
    watch: Path | None,
    state: StateDir,
    output: Output,
) -> None:
    from kstream.cli.supervising import changes, supervise
    from kstream.local.consumer_process import ConsumerProcess
    from kstream.local.dev_state import DevState, announce, only_one
    from kstream.local.finding import stream_name_for, watched_folder
    from kstream.local.pipeline import Pipeline
    from kstream.local.stop_signals import StopSignals

    folder, recursive = (watch, True) if watch else watched_folder(target)
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        stack.enter_context(only_one(state))
        pipeline = stack.enter_context(
            Pipeline(
                streams or [stream_name_for(target)],
                shards=shards,
                emulator_dir=state.emulator,
                port=port,
                kinesis_port=kinesis_port,
                lock=lock,
                envelope=envelope,
                progress=lambda text: output.say(text, style="yellow"),
            )
        )
        signals.arm()
        announce(
            state,
            DevState(
                os.getpid(), pipeline.emulator_pid, pipeline.endpoint_url, pipeline.ingest_url, pipeline.streams, lock
            ),
        )
        _greet(output, pipeline, target, folder, state)
        process = ConsumerProcess(
            [
                *("consume", named, "--stream", pipeline.streams[0], "--endpoint-url", pipeline.endpoint_url),
                *("--state-dir", str(state.path), *consume_options),
            ]
        )
        files = changes(folder, recursive=recursive, signals=signals)
        supervise(process, files, pipeline, output, signals, patience=_PATIENCE_S)
    output.say("Stopped. Everything is kept: the next kstream dev goes on from here.")


def _greet(output: Output, pipeline: Pipeline, target: Target, folder: Path, state: StateDir) -> None:
    from kstream.ingest.contract import records_path
    from kstream.local.door import ACCESS_KEY, REGION, SECRET_KEY
    from kstream.local.finding import example_record

    first = pipeline.streams[0]
    own_state = "" if state.path == Path(".kstream") else f" --state-dir {shlex.quote(str(state.path))}"
    url = pipeline.ingest_url + records_path(first)
    payload = shlex.quote(example_record(target))
    shown = os.path.relpath(folder)
    signed = (
        f"--user {ACCESS_KEY}:{SECRET_KEY} --aws-sigv4 aws:amz:{REGION}:execute-api "
        if pipeline.lock is Lock.iam
        else ""
    )
    output.say()
    for label, text in (
        ("Ingest API", url),
        *(("", pipeline.ingest_url + records_path(name)) for name in pipeline.streams[1:]),
        ("Kinesis", f"{pipeline.endpoint_url}  streams: {', '.join(pipeline.streams)}"),
        ("Consumer", f"{target}, started anew when a Python file in {shown if shown != '.' else 'here'} changes"),
        ("State", f"{state.path}; Ctrl-C stops and keeps it"),
    ):
        output.pair(label, text)
    output.say()
    for label, text in (
        ("Put a record", f"curl {signed}-H 'Content-Type: application/json' -d {payload} {url}"),
        ("Put a file", f"kstream produce orders.jsonl --stream {first}{own_state}"),
        ("See records", f"kstream tail --stream {first} --from trim{own_state}"),
        ("Dead letters", f"kstream dead-letters list{own_state}"),
    ):
        output.pair(label, text)
    output.say()
