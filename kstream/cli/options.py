"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_CONNECTION = "Where"
_DELIVERY = "Delivery (Lambda's event source mapping)"

Stream = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The stream's name; by default that of the kstream dev that runs here.", show_default=False
    ),
]
EndpointUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Kinesis' address, for an emulator; by default that of the kstream dev that runs here, else AWS.",
        rich_help_panel=_CONNECTION,
        show_default=False,
    ),
]
Region = Annotated[
    str | None,
    typer.Option(
        metavar="REGION", help="AWS region; by default as AWS's own tools find it.", rich_help_panel=_CONNECTION
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        metavar="PORT",
        help="Serve the consumer's numbers for Prometheus at http://127.0.0.1:PORT/metrics; 0 for a free port.",
    ),
]
StateDirectory = Annotated[
    Path,
    typer.Option(
        "--state-dir", metavar="FOLDER", help="What must outlive the process: checkpoints, ledger, dead letters."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")]

BatchSize = Annotated[int, typer.Option(metavar="N", help="Records a batch, 1 to 10000.", rich_help_panel=_DELIVERY)]
BatchingWindow = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", help="How long to wait for a fuller batch, 0 to 300 seconds.", rich_help_panel=_DELIVERY
    ),
]
StartingPosition = Annotated[
    str,
    typer.Option(
        metavar="PLACE",
        help="Where a consumer without checkpoint starts: trim, latest, a time, or how long ago (10m).",
        rich_help_panel=_DELIVERY,
    ),
]
MaxRetries = Annotated[
    int,
    typer.Option(metavar="N", help="Deliveries of a batch after the first; -1 for ever.", rich_help_panel=_DELIVERY),
]
MaxAge = Annotated[
    int,
    typer.Option(metavar="SECONDS", help="Age at which a record is given up; -1 for never.", rich_help_panel=_DELIVERY),
]
Bisect = Annotated[bool, typer.Option("--bisect", help="Halve a batch that raised.", rich_help_panel=_DELIVERY)]
ParallelizationFactor = Annotated[
    int, typer.Option(metavar="N", help="Lanes of one shard, 1 to 10.", rich_help_panel=_DELIVERY)
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="The function's timeout.", rich_help_panel=_DELIVERY)]
Hurry = Annotated[
    bool, typer.Option("--hurry", help="Read 20 times a second, not once as Lambda does.", rich_help_panel=_DELIVERY)
]
