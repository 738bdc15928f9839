"""The configuration as a JSON Schema, for editors that complete and check TOML."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Union, get_args, get_origin

from deploy.config.fields import Setting, Table, settings_of
from deploy.config.reading import hints

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def json_schema(cls: type[Table], *, title: str) -> dict[str, Any]:
    """The schema of a file that holds ``cls``, with ``[env.NAME]`` tables that may override any of it."""
    definitions: dict[str, Any] = {}
    root = _object(cls, definitions)
    root["properties"]["env"] = {
        "type": "object",
        "description": "Overrides, by the environment's name: [env.prod.streams.orders]",
        "additionalProperties": _object(cls, definitions, part=True),
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        **root,
        "definitions": definitions,
    }


def _object(cls: type[Table], definitions: dict[str, Any], *, part: bool = False) -> dict[str, Any]:
    """``part``: what an environment lays over it, which need not be whole. The whole is checked when it is read."""
    properties = {}
    required = []
    kinds = hints(cls)
    for name, (field, setting) in settings_of(cls).items():
        schema = _schema(kinds[name], setting, definitions, part=part)
        schema = {"allOf": [schema]} if "$ref" in schema else schema
        schema["description"] = setting.doc
        if field.default is not dataclasses.MISSING:
            if isinstance(field.default, (bool, int, float, str)):
                schema["default"] = field.default
        elif field.default_factory is dataclasses.MISSING:
            required.append(name)
        properties[name] = schema
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required and not part else schema


def _schema(kind: Any, setting: Setting, definitions: dict[str, Any], *, part: bool = False) -> dict[str, Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        kinds = [_schema(each, setting, definitions, part=part) for each in get_args(kind) if each is not type(None)]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    one = dataclasses.replace(setting, low=None, high=None)
    if origin is tuple:
        # Lists are replaced, not merged: their entries are whole.
        schema = {"type": "array", "items": _schema(get_args(kind)[0], one, definitions), "uniqueItems": True}
        return _bounded(schema, setting, "minItems", "maxItems")
    if origin is Mapping:
        schema = {"type": "object", "additionalProperties": _schema(get_args(kind)[1], one, definitions, part=part)}
        if setting.names:
            schema["propertyNames"] = {"pattern": f"^(?:{setting.names.pattern})$"}
        least = dataclasses.replace(setting, low=None) if part else setting
        return _bounded(schema, least, "minProperties", "maxProperties")
    if isinstance(kind, type) and issubclass(kind, Table):
        name = f"{kind.__name__}Override" if part else kind.__name__
        if name not in definitions:
            definitions[name] = {}
            definitions[name] |= _object(kind, definitions, part=part)
        return {"$ref": f"#/definitions/{name}"}
    return _scalar(kind, setting)


def _scalar(kind: Any, setting: Setting) -> dict[str, Any]:
    if kind is object:
        return {}
    if kind is datetime:
        return {"type": "string", "format": "date-time"}
    schema: dict[str, Any] = {"type": _TYPES[kind]}
    if setting.choices:
        schema["enum"] = list(setting.choices)
    if setting.pattern and kind is str:
        schema["pattern"] = f"^(?:{setting.pattern.pattern})$"
    return _bounded(schema, setting, "minimum", "maximum") if kind in (int, float) else schema


def _bounded(schema: dict[str, Any], setting: Setting, low: str, high: str) -> dict[str, Any]:
    if setting.low is not None:
        schema[low] = setting.low
    if setting.high is not None:
        schema[high] = setting.high
    return schema
