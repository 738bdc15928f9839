"""Writes the golden documents anew: ``python -m tests.unit.ingest.openapi.golden``."""

from __future__ import annotations

import json

from kstream.ingest.openapi import deployed, published
from tests.unit.ingest.openapi.test_documents import GOLDEN, GOLDEN_APIS

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, api in GOLDEN_APIS.items():
        for rendering, document in (
            ("deployed", deployed(api)),
            ("published", published(api, url="https://ingest.example/v1")),
        ):
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
            (GOLDEN / f"{name}.{rendering}.json").write_text(text, "utf-8")
