"""Request bodies against the document's models: JSON schema, draft 4, as API Gateway validates.

jsonschema decides, and words what is wrong. But it takes 30 us for each record of a batch, so a validator that
fastjsonschema has compiled from the same schema is asked first, and what that accepts passes. That it accepts nothing
that jsonschema refuses is tested (tests/unit/ingest/engine/test_model.py). What is wrong is looked for up to the first
mistake and no further: a body may hold millions of them. Nor behind what a template can loop over: a body of 10 MiB holds
800,000 records, to be judged for seconds, and is refused for their number in the end.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kstream.ingest.contract import JSON
from kstream.ingest.engine.velocity.statements import MOST_TURNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Compiled = Callable[[Any], object]


_DRAFT = {"$schema": "http://json-schema.org/draft-04/schema#"}
_TOO_DEEP = "it is nested too deeply"


class NotOfTheModel(Exception):
    """The body is not JSON, or not as the model has it. The message names the place, and quotes nothing of the body."""


class Model:
    """A compiled schema. Thread-safe."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = {**_DRAFT, **schema}
        self._validate = _compiled(self._schema)
        self._deciding = deciding(self._schema)

    def document(self, text: str) -> Any:
        """The body's JSON, if it is as the model has it; else ``NotOfTheModel``.

        Of a list in it the first ``MOST_TURNS`` are judged. It is returned whole, for the template to refuse its length.
        """
        try:
            document = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_without_loss)
            if "\\u" in text:
                # Half of a surrogate pair is no text. What API Gateway does with it is not known; here it is refused.
                json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise NotOfTheModel("a string in it has half a surrogate pair") from None
        except RecursionError:
            raise NotOfTheModel(_TOO_DEEP) from None
        except ValueError as error:
            raise NotOfTheModel(f"it is not JSON ({error})") from None
        try:
            judged = _within_reach(document)
            if not _accepts(self._validate, judged):
                self._explain(judged)
        except RecursionError:
            # jsonschema's errors show the value that is wrong, whole.
            raise NotOfTheModel(_TOO_DEEP) from None
        return document

    def _explain(self, document: Any) -> None:
        error = next(self._deciding.iter_errors(document), None)
        if error is not None:
            where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
            rule = json.dumps(error.validator_value) if error.validator != "properties" else ""
            raise NotOfTheModel(f"{where.lstrip('.') or 'it'} does not keep {error.validator} {rule}".rstrip())


def deciding(schema: Mapping[str, Any]) -> Any:
    """jsonschema's validator, with patterns as JSON schema means them, and quick to come to the first mistake.

    Patterns are ECMA 262's, where ``$`` is the end of the text; Python's lets a line feed follow, which is then no error.
    """
    return _validator_class()(schema)


@cache
def _validator_class() -> Any:
    from jsonschema import Draft4Validator, ValidationError
    from jsonschema.validators import extend

    def pattern(validator: Any, regex: str, instance: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
        # What is too long has its mistake already, and a pattern may take a hundred bytes for each character.
        if not validator.is_type(instance, "string") or len(instance) > schema.get("maxLength", math.inf):
            return
        if not re.search(re.sub(r"\$$", r"\\Z", regex), instance):
            yield ValidationError(f"does not match {regex!r}")

    def items(validator: Any, schema: Mapping[str, Any], instance: Any, _: Any) -> Iterator[ValidationError]:
        if not validator.is_type(instance, "array"):
            return
        compiled = _compiled({**_DRAFT, **schema})
        for index, item in enumerate(instance):
            # Of many records the last may be the one that is wrong.
            if not _accepts(compiled, item):
                yield from validator.descend(item, schema, path=index)

    return extend(Draft4Validator, {"pattern": pattern, "items": items})  # type: ignore[no-untyped-call]


def _compiled(schema: dict[str, Any]) -> Compiled:
    import fastjsonschema

    compiled: Compiled = fastjsonschema.compile(schema, use_default=False, detailed_exceptions=False)
    return compiled


def _accepts(compiled: Compiled, document: Any) -> bool:
    import fastjsonschema

    try:
        compiled(document)
    except (fastjsonschema.JsonSchemaValueException, RecursionError):
        return False
    return True


def models_of(content: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Model]:
    """A request body's models by media type."""
    return {
        media_type: Model(schemas[entry["schema"]["$ref"].rpartition("/")[2]])
        for media_type, entry in content.items()
        if media_type == JSON
    }


def _within_reach(document: Any) -> Any:
    """The document, its own lists without what lies behind the last turn of a ``#foreach``."""
    if type(document) is not dict:
        return document
    return {name: value[:MOST_TURNS] if type(value) is list else value for name, value in document.items()}


def _without_loss(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a property given twice one would be lost without a word, a whole list of records for one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotOfTheModel("a property stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
