"""Small Lambda functions for tests, as zips."""

from __future__ import annotations

import io
import textwrap
import zipfile


def zipped(source: str) -> bytes:
    """A function's zip with one module, ``app``: its handler is ``app.handler``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", textwrap.dedent(source))
    return buffer.getvalue()
