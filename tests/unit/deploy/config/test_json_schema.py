"""What an editor is told about pipeline.toml is what the reader accepts."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from deploy.config import Pipeline, parse
from deploy.config.fields import settings_of
from deploy.config.json_schema import json_schema
from tests.golden.deploy import CASES
from tests.support.pipelines import pipelines

SCHEMA = json_schema(Pipeline, title="pipeline.toml")


def unknown(table: Any, schema: dict[str, Any], path: str = "") -> list[str]:
    """The settings of a configuration that the schema does not know, or knows as something else."""
    if "allOf" in schema:
        schema = schema["allOf"][0]
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return min((unknown(table, one, path) for one in schema["anyOf"]), key=len)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    if "type" in schema and schema.get("format") != "date-time" and not isinstance(table, kinds[schema["type"]]):
        return [f"{path} is no {schema['type']}"]
    if "enum" in schema and table not in schema["enum"]:
        return [f"{path} is not in the enum"]
    if not schema:
        return []  # anything
    if isinstance(table, list):
        return [found for one in table for found in unknown(one, schema["items"], f"{path}[]")]
    if not isinstance(table, dict) or "type" not in schema:
        return []
    found = [f"{path}.{name} is missing" for name in schema.get("required", ()) if name not in table]
    for name, value in table.items():
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        found += (
            [f"{path}.{name} is unknown"]
            if inner is None or inner is False
            else unknown(value, inner, f"{path}.{name}")
        )
    return found


@given(pipelines())
def test_every_valid_configuration_fits_the_schema(table: dict[str, Any]) -> None:
    assert unknown(table, SCHEMA) == []


def test_the_files_of_this_repository_fit_the_schema() -> None:
    import tomllib

    for path, environment in CASES.values():
        table = tomllib.loads(path.read_text())
        assert unknown(table, SCHEMA) == []
        parse(table, environment)


def test_an_environment_is_checked_as_the_rest_is_but_need_not_be_whole() -> None:
    def checked(**over: Any) -> list[str]:
        return unknown({"name": "shop", "env": {"prod": over}}, SCHEMA)

    assert checked(consumers={"totals": {"memory_mb": 512}}, streams={"orders": {"shards": 4}}) == []
    assert checked(consumers={"totals": {"memory": 512}}) == [".env.prod.consumers.totals.memory is unknown"]
    assert checked(streams={"orders": {"mode": "x"}}) == [".env.prod.streams.orders.mode is not in the enum"]
    assert checked(consumers={"totals": {"uses": [{"table": "x"}]}}) == [
        ".env.prod.consumers.totals.uses[].actions is missing"
    ]
    assert checked(env={}) == [".env.prod.env is unknown"]


def test_every_setting_is_explained() -> None:
    tables = [SCHEMA, *SCHEMA["definitions"].values()]
    lacking = [name for table in tables for name, one in table["properties"].items() if not one.get("description")]

    assert lacking == []
    assert set(SCHEMA["properties"]) == {*settings_of(Pipeline), "env"}
