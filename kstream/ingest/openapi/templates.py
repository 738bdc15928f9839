"""The mapping templates (Velocity), filled in for one stream.

They stand in ``kstream/ingest/templates``, with ``@name@`` where a value of ours goes in: the stream's name, numbers, our
own words. Nothing of a request is ever put into a template's text.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from kstream.ingest.contract import RETRY_AFTER_SECONDS, Limits

if TYPE_CHECKING:
    from kstream.ingest.api import IngestStream

# API Gateway's own limit (quotas of REST APIs, "Mapping template size").
MOST_TEMPLATE_BYTES: Final = 300 * 1024

_SINGLE_REFUSAL = (
    "the stream refuses this record: its partition key has 1 to 256 characters, and a body that is not UTF-8 text "
    "(or has U+FFFD in it) goes as application/octet-stream"
)
_BATCH_REFUSAL = (
    "the stream refuses this batch: it has 1 to 500 records, in UTF-8 (U+FFFD as an escape or in dataBase64), "
    "each with data, or dataBase64 that is base64, and a partition key of 1 to 256 characters"
)


def put_text(stream: IngestStream) -> str:
    return _single("put_text", stream)


def put_binary(stream: IngestStream) -> str:
    return _single("put_binary", stream)


def put_batch(stream: IngestStream) -> str:
    return _filled("put_batch", stream=stream.name, most_records=str(Limits().records))


def answer_record(stream: IngestStream) -> str:
    return _origins(stream) + _filled("answer_record")


def answer_batch(stream: IngestStream) -> str:
    return _origins(stream) + _filled("answer_batch", retry_after=str(RETRY_AFTER_SECONDS))


def refused(stream: IngestStream, *, batch: bool) -> str:
    refusal = _BATCH_REFUSAL if batch else _SINGLE_REFUSAL
    return _origins(stream) + _filled("refused", retry_after=str(RETRY_AFTER_SECONDS), refusal=refusal)


def failed(stream: IngestStream) -> str:
    return _origins(stream) + _filled("failed")


def preflight(stream: IngestStream) -> str:
    return _origins(stream)


def _single(name: str, stream: IngestStream) -> str:
    default_key = "" if stream.key_required else "$context.requestId"
    return _filled("partition_key", default_key=default_key) + _filled(name, stream=stream.name)


def _origins(stream: IngestStream) -> str:
    if len(stream.cors_origins) < 2:
        return ""
    either = {
        name: " || ".join(f'{variable} == "{origin}"' for origin in stream.cors_origins)
        for name, variable in (("origins", "$origin"), ("lower_origins", "$lowerOrigin"))
    }
    return _filled("origins", **either)


def _filled(name: str, **values: str) -> str:
    text = _text(name)
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


@cache
def _text(name: str) -> str:
    lines = files("kstream.ingest").joinpath("templates", f"{name}.vtl").read_text("utf-8").splitlines()
    # Comments are for whoever reads the file; a deployed document is read by machines.
    return "\n".join(line for line in lines if not line.startswith("##")) + "\n"
