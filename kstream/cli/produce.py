"""``kstream produce``: lines into a stream."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from kstream.cli import options  # noqa: TC001 - typer reads the annotations
from kstream.cli.failures import FAILED, told_plainly
from kstream.local.state_dir import StateDir

if TYPE_CHECKING:
    from kstream.cli.output import Output
    from kstream.cli.produce_input import Refusals
    from kstream.ingest.results import BatchResult, BulkResult, PutFailure

_SHOWN_FAILURES = 20


class Format(StrEnum):
    """How a line is read."""

    lines = "lines"
    jsonl = "jsonl"


def produce(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What to put, one record a line; - for standard input.")
    ] = "-",
    stream: options.Stream = None,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The ingest API; by default that of the kstream dev that runs here.", show_default=False
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="FIELD", help="The field of each JSON object that is its partition key.")
    ] = None,
    partition_key: Annotated[str | None, typer.Option(metavar="KEY", help="One partition key for all.")] = None,
    format: Annotated[  # noqa: A002 - the option's name
        Format | None,
        typer.Option(help="lines: bytes as they are; jsonl: JSON, checked. By default as the file's name ends."),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Records a request, 1 to 500.")] = 500,
    in_flight: Annotated[int, typer.Option(metavar="N", help="Requests at a time; order per key holds.")] = 2,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="HEADER", help="'Name: value' for the API, or @FILE with one a line. May be repeated."),
    ] = None,
    direct: Annotated[bool, typer.Option("--direct", help="Straight into Kinesis, without an API.")] = False,
    endpoint_url: options.EndpointUrl = None,
    region: options.Region = None,
    state_dir: options.StateDirectory = Path(".kstream"),
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Put the lines of a file, or of standard input, into a stream.

    What fails is retried; what fails for good is told with its line, and the exit code is 1. Empty lines are no records.
    """
    with told_plainly(debug=debug):
        from kstream.cli.ingest_client import ingest_client, why_nothing_was_put
        from kstream.cli.output import Output
        from kstream.cli.produce_input import LineReader, Refusals
        from kstream.cli.produce_view import ProduceView
        from kstream.core.errors import ConfigurationError, KstreamError
        from kstream.ingest.errors import IngestError

        if url and (direct or endpoint_url or region):
            raise ConfigurationError("--url is the ingest API; --direct, --endpoint-url and --region go without one")
        if key is not None and format is Format.lines:
            raise ConfigurationError("--key names a field of JSON objects: leave --format lines out")
        chosen = format or (Format.jsonl if key or Path(file).suffix in (".jsonl", ".ndjson") else Format.lines)
        reader = LineReader(chosen.value, key, partition_key)
        output = Output(json=json)
        refusals = Refusals()
        state, direct = StateDir(state_dir), direct or bool(endpoint_url or region)
        client = ingest_client(
            state,
            stream=stream,
            url=url,
            headers=header or [],
            direct=direct,
            endpoint_url=endpoint_url,
            region=region,
            batch=batch,
            in_flight=in_flight,
        )
        result: BulkResult | BatchResult | None
        with client, _opened(file) as lines, ProduceView(output, file, lines) as view:
            fatal: IngestError | None = None
            try:
                result = client.put_all(reader.records(view.counted(lines), refusals), progress=view.progress)
            except IngestError as error:
                fatal, result = error, error.result
            except KeyboardInterrupt as interrupt:
                for note in getattr(interrupt, "__notes__", ()):
                    output.say(note)
                raise
        failed = _tell(output, result, refusals)
        if fatal is not None:
            raise KstreamError(f"{_one_line(fatal)}; look at --url, --stream and --header") from fatal
        if direct and result is not None and result.failures and not result.put:
            reason = why_nothing_was_put(state, stream=stream, endpoint_url=endpoint_url, region=region)
            if reason:
                raise KstreamError(reason)
        if failed:
            raise typer.Exit(FAILED)


def _opened(file: str) -> IO[bytes]:
    from kstream.core.errors import ConfigurationError

    try:
        return sys.stdin.buffer if file == "-" else Path(file).open("rb")
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None


def _tell(output: Output, result: BulkResult | BatchResult | None, refusals: Refusals) -> int:
    """Says what became of the lines; answers how many are not in the stream."""
    failures = sorted(
        [
            *refusals.lines,
            *((_line_of(failure), _one_line(failure.error)) for failure in (result.failures if result else ())),
        ]
    )
    put = result.put if result else 0
    retried = result.retried if result else 0
    if output.json:
        for number, reason in failures:
            output.emit({"line": number, "error": reason})
        output.emit({"put": put, "failed": len(failures), "retried": retried, "emptyLines": refusals.empty})
        return len(failures)
    for number, reason in failures[:_SHOWN_FAILURES]:
        output.say(f"line {number}: {reason}", style="red")
    if len(failures) > _SHOWN_FAILURES:
        numbers = ", ".join(str(number) for number, _ in failures[_SHOWN_FAILURES:][:200])
        output.say(f"and {len(failures) - _SHOWN_FAILURES:,} more: lines {numbers}", style="red")
    extra = f", {refusals.empty:,} empty lines passed over" if refusals.empty else ""
    output.say(f"{put:,} put, {len(failures):,} failed, {retried:,} retried{extra}", style="bold")
    return len(failures)


def _line_of(failure: PutFailure) -> int:
    from kstream.cli.produce_input import NumberedRecord

    return failure.record.line if isinstance(failure.record, NumberedRecord) else failure.index + 1


def _one_line(error: Exception) -> str:
    # What stands between us and the API may have answered a whole page.
    return " ".join(str(error).split())
