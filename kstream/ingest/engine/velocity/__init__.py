"""API Gateway's mapping templates: Velocity, parsed by airspeed, and compiled once into Python closures.

``Template(text)`` parses; ``render(variables)`` runs it. ``objects`` has what stands behind ``$input`` and ``$util``.
"""

from __future__ import annotations

from kstream.ingest.engine.velocity.errors import TemplateError
from kstream.ingest.engine.velocity.template import Template

__all__ = ["Template", "TemplateError"]
