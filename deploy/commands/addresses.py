"""Where the deployed ingest API is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def ingest_url(outputs: Mapping[str, str], endpoint_url: str | None) -> str | None:
    """By the outputs of its stack. The host in them is AWS's, or, of an emulator, one that nobody resolves."""
    if "Url" not in outputs:
        return None
    if endpoint_url is None:
        return outputs["Url"]
    stage = outputs["Url"].rpartition("/")[2]
    return f"{endpoint_url.rstrip('/')}/restapis/{outputs['ApiId']}/{stage}/_user_request_"
