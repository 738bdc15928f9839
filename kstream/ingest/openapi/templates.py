"""The mapping templates (Velocity), filled in for one stream.

They stand in ``kstream/ingest/templates``, with ``@name@`` where a value of ours goes in: the stream's name, numbers, our
own words. Nothing of a request is ever put into a template's text.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from kstream.core.envelope import BEGINNING, END
from kstream.ingest.contract import (
    KEPT_CHARACTERS,
    KEPT_HEADERS,
    MOST_ENVELOPE_BYTES,
    PARTITION_KEY_HEADER,
    RETRY_AFTER_SECONDS,
    Limits,
)

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
    return _single("put_binary", stream, types=_given_header("content-type", "type"))


def put_batch(stream: IngestStream) -> str:
    return _envelope(stream) + _put("put_batch", stream, most_records=str(Limits().records))


def answer_record(stream: IngestStream) -> str:
    return _origins(stream) + _filled("answer_record")


def answer_batch(stream: IngestStream) -> str:
    return _origins(stream) + _filled("answer_batch", retry_after=str(RETRY_AFTER_SECONDS))


def refused(stream: IngestStream, *, batch: bool) -> str:
    refusal = _BATCH_REFUSAL if batch else _SINGLE_REFUSAL
    with_envelope = f" with the envelope of its headers, up to {MOST_ENVELOPE_BYTES} bytes" if stream.envelope else ""
    return _origins(stream) + _filled(
        "refused", retry_after=str(RETRY_AFTER_SECONDS), refusal=refusal, with_envelope=with_envelope
    )


def failed(stream: IngestStream) -> str:
    return _origins(stream) + _filled("failed")


def preflight(stream: IngestStream) -> str:
    return _origins(stream)


def _single(name: str, stream: IngestStream, **values: str) -> str:
    default_key = "" if stream.key_required else "$context.requestId"
    key = _filled("partition_key", default_key=default_key, spellings=_given_header(PARTITION_KEY_HEADER, "key"))
    return key + _envelope(stream) + _put(name, stream, **values)


def _put(name: str, stream: IngestStream, **values: str) -> str:
    return _filled(name, stream=stream.name, envelope="${envelope}" if stream.envelope else "", **values)


def _envelope(stream: IngestStream) -> str:
    if not stream.envelope:
        return ""
    return _filled(
        "envelope",
        keep_headers="".join(_kept_header(name, most) for name, most in KEPT_HEADERS.items()),
        beginning=b64encode(BEGINNING).decode(),
        end=b64encode(END).decode(),
    )


def _kept_header(name: str, most: int) -> str:
    spellings = (
        _filled("spelled_header", spelled=spelled, characters=KEPT_CHARACTERS, most=str(most))
        for spelled in _spellings(name)
    )
    return _filled("kept_header", header=name, spellings="".join(spellings))


def _given_header(name: str, variable: str) -> str:
    return "".join(_filled("given_header", spelled=spelled, variable=variable) for spelled in _spellings(name))


def _spellings(name: str) -> dict[str, None]:
    """A header's name (in lower case) as clients write it; the last that is there counts.

    HTTP knows no case (RFC 9110, 5.1), but API Gateway has names as they were sent: as the standards write them (Go, its
    own X-Amzn-Trace-Id), as Python's urllib does (X-partition-key), in capitals, and in lower case (HTTP/2, most clients).
    No loop over all names: LocalStack's headers are no map that has a keySet().
    """
    return dict.fromkeys((name.title(), name.capitalize(), name.upper(), name))


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
    # Comments and lines are for whoever reads the file; a deployed document is read by machines, and what is rendered from
    # it would have an empty line for each directive of each record. No line begins with what could go on a name.
    return "".join(line for line in lines if not line.startswith("##"))
