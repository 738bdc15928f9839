"""A source from its name on the command line.

``dir:PATH``            a directory of dead letters; an existing directory needs no ``dir:``
``sqs:URL``             a queue
``s3:BUCKET/PREFIX``    objects
``kinesis:STREAM``      a stream, by name or ARN
``jsonl:FILE``          one JSON object a line, as the local runner's on-failure file
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.redrive.directory_source import DirectorySource
from kstream.redrive.file_source import FileSource

if TYPE_CHECKING:
    from kstream.redrive.source import Source

FORMS = "dir:PATH, sqs:URL, s3:BUCKET/PREFIX, kinesis:STREAM or jsonl:FILE"
_KINDS = ("dir", "sqs", "s3", "kinesis", "jsonl")


def names_source(text: str) -> bool:
    """Whether ``text`` can be meant as a source at all, rather than as an item's key."""
    return (text.partition(":")[0] in _KINDS and ":" in text) or Path(text).is_dir()


def open_source(text: str, *, endpoint_url: str | None = None, region: str | None = None) -> Source:
    """The source that ``text`` names. ``endpoint_url``, ``region``: for those in AWS. Raises ``ConfigurationError``."""
    kind, _, where = text.partition(":")
    if kind not in _KINDS:
        kind, where = "dir", text
    if not where:
        raise ConfigurationError(f"{text!r} names no source of dead letters: give {FORMS}")
    if kind == "dir":
        if not Path(where).is_dir():
            raise ConfigurationError(f"there is no directory {where!r}: give {FORMS}")
        return DirectorySource(Path(where))
    if kind == "jsonl":
        return FileSource(Path(where))
    if kind == "sqs":
        from kstream.redrive.queue_source import QueueSource

        if not where.startswith(("http://", "https://")):
            raise ConfigurationError(f"{text!r}: give the queue's URL, as in sqs:https://sqs.REGION.amazonaws.com/...")
        return QueueSource(where, endpoint_url=endpoint_url, region=region)
    if kind == "s3":
        from kstream.redrive.bucket_source import BucketSource

        bucket, _, prefix = where.removeprefix("//").partition("/")
        return BucketSource(bucket, prefix, endpoint_url=endpoint_url, region=region)
    from kstream.redrive.stream_source import StreamSource

    return StreamSource(where, endpoint_url=endpoint_url, region=region)
