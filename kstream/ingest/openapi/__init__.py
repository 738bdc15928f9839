"""The ingest API as one OpenAPI 3.0 document, written from an ``IngestApi``.

``deployed(api)``   for API Gateway, with its extensions and the templates; the gateway of this machine runs it too.
``published(api)``  for producers: the same without anything of Amazon's.
"""

from __future__ import annotations

from kstream.ingest.openapi.document import deployed, published

__all__ = ["deployed", "published"]
