"""Request bodies against the document's models: JSON schema, draft 4, as API Gateway validates.

jsonschema decides, and words what is wrong. But it takes 30 us for each record of a batch, so a validator that
fastjsonschema has compiled from the same schema is asked first, and what that accepts passes. That it accepts nothing
that jsonschema refuses is tested (tests/unit/ingest/engine/test_model.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kstream.ingest.contract import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping


class NotOfTheModel(Exception):
    """The body is not JSON, or not as the model has it. The message names the place, and quotes nothing of the body."""


class Model:
    """A compiled schema. Thread-safe."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        import fastjsonschema

        self._schema = {"$schema": "http://json-schema.org/draft-04/schema#", **schema}
        self._invalid = fastjsonschema.JsonSchemaValueException
        self._validate = fastjsonschema.compile(self._schema, use_default=False, detailed_exceptions=False)

    def document(self, text: str) -> Any:
        """The body's JSON, if it is as the model has it; else ``NotOfTheModel``."""
        try:
            document = json.loads(text, parse_constant=_no_constant)
            if "\\u" in text:
                # Half of a surrogate pair is no text. What API Gateway does with it is not known; here it is refused.
                json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise NotOfTheModel("a string in it has half a surrogate pair") from None
        except (ValueError, RecursionError) as error:
            raise NotOfTheModel(f"it is not JSON ({error})") from None
        try:
            self._validate(document)
        except (self._invalid, RecursionError):
            self._explain(document)
        return document

    def _explain(self, document: Any) -> None:
        from jsonschema import Draft4Validator
        from jsonschema.exceptions import best_match

        error = best_match(Draft4Validator(self._schema).iter_errors(document))
        if error is not None:
            where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
            rule = json.dumps(error.validator_value) if error.validator != "properties" else ""
            raise NotOfTheModel(f"{where.lstrip('.') or 'it'} does not keep {error.validator} {rule}".rstrip())


def models_of(content: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Model]:
    """A request body's models by media type."""
    return {
        media_type: Model(schemas[entry["schema"]["$ref"].rpartition("/")[2]])
        for media_type, entry in content.items()
        if media_type == JSON
    }


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
