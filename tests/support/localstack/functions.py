"""Small Lambda functions for tests, as zips."""

from __future__ import annotations

import io
import textwrap
import zipfile


def zipped(source: str, path: str = "app.py") -> bytes:
    """A zip of one module. Of a function with the usual one the handler is ``app.handler``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(path, textwrap.dedent(source))
    return buffer.getvalue()
