"""The one error of templates."""

from __future__ import annotations

from kstream.core.errors import KstreamError


class TemplateError(KstreamError):
    """A template cannot be parsed, asks for something that is not built here, or failed while it ran."""
