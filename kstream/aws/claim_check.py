"""A claim check: the small text that goes to a queue or a stream when a dead letter is too large for it.

Version 1, a JSON object: ``{"kstream": "dead-letter-at/1", "bucket": "...", "key": "...", "bytes": 1234567}``. The
letter itself lies whole in that S3 object.
"""

from __future__ import annotations

import json
from typing import NamedTuple

FORMAT = "dead-letter-at/1"


class ClaimCheck(NamedTuple):
    """Where a letter lies, and how many bytes its envelope takes."""

    bucket: str
    key: str
    size: int

    def to_json(self) -> str:
        return json.dumps({"kstream": FORMAT, "bucket": self.bucket, "key": self.key, "bytes": self.size})


def read_claim_check(text: str) -> ClaimCheck | None:
    """The claim check in ``text``; None if it is anything else."""
    # A dead letter may be a megabyte: look before parsing.
    if FORMAT not in text[:100]:
        return None
    try:
        body = json.loads(text)
        return ClaimCheck(body["bucket"], body["key"], body["bytes"]) if body["kstream"] == FORMAT else None
    except (KeyError, TypeError, ValueError):
        return None
