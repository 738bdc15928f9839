"""Request bodies against the document's models: JSON schema, draft 4, as API Gateway validates.

jsonschema decides, and words what is wrong. But it takes 30 us for each record of a batch, so a validator that
fastjsonschema has compiled from the same schema is asked first, and what that accepts passes. That it accepts nothing
that jsonschema refuses is tested (tests/unit/ingest/engine/test_model.py).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kstream.ingest.contract import JSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
            document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_without_loss)
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
        from jsonschema.exceptions import best_match

        error = best_match(deciding(self._schema).iter_errors(document))
        if error is not None:
            where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
            rule = json.dumps(error.validator_value) if error.validator != "properties" else ""
            raise NotOfTheModel(f"{where.lstrip('.') or 'it'} does not keep {error.validator} {rule}".rstrip())


def deciding(schema: Mapping[str, Any]) -> Any:
    """jsonschema's validator, with patterns as JSON schema means them.

    They are ECMA 262's, where ``$`` is the end of the text; Python's lets a line feed follow, which is then no error.
    """
    from jsonschema import Draft4Validator, ValidationError
    from jsonschema.validators import extend

    def pattern(validator: Any, regex: str, instance: Any, _: Any) -> Iterator[ValidationError]:
        if validator.is_type(instance, "string") and not re.search(re.sub(r"\$$", r"\\Z", regex), instance):
            yield ValidationError(f"does not match {regex!r}")

    return extend(Draft4Validator, {"pattern": pattern})(schema)  # type: ignore[no-untyped-call]


def models_of(content: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Model]:
    """A request body's models by media type."""
    return {
        media_type: Model(schemas[entry["schema"]["$ref"].rpartition("/")[2]])
        for media_type, entry in content.items()
        if media_type == JSON
    }


def _without_loss(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a property given twice one would be lost without a word, a whole list of records for one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotOfTheModel("a property stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
