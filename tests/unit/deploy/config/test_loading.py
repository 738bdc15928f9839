"""The file, and the environments in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploy.config import InvalidConfiguration, load, parse

if TYPE_CHECKING:
    from pathlib import Path

TABLE: dict[str, Any] = {
    "name": "shop",
    "streams": {"orders": {"retention_hours": 48, "fan_out": ["a", "b"]}, "fixed": {"physical_name": "Fixed"}},
    "env": {"prod": {"streams": {"orders": {"retention_hours": 168, "fan_out": ["c"]}}}, "dev": {}},
}


def test_an_environment_is_laid_over_the_rest() -> None:
    """Tables are merged, and lists replaced."""
    orders = parse(TABLE, "prod").streams["orders"]

    assert (orders.retention_hours, orders.fan_out) == (168, ("c",))
    assert parse(TABLE).streams["orders"].retention_hours == 48


def test_environments_of_one_account_do_not_meet() -> None:
    assert parse(TABLE).prefix == "shop"
    assert parse(TABLE, "prod").prefix == "shop-prod"
    assert parse(TABLE, "prod").stream_name("orders") == "orders-prod"
    assert parse(TABLE, "prod").stream_name("fixed") == "Fixed"


def test_an_unknown_environment_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidConfiguration, match=r"no \[env.prd\]; did you mean 'prod'\? this file has prod, dev"):
        parse(TABLE, "prd")


@pytest.mark.parametrize("env", [7, {"prod": 7}, {"Prod!": {}}])
def test_environments_that_are_none_are_refused(env: object) -> None:
    with pytest.raises(InvalidConfiguration, match="env"):
        parse({**TABLE, "env": env})


def test_a_mistake_in_an_environment_is_found_when_it_is_chosen() -> None:
    table = {**TABLE, "env": {"prod": {"streams": {"orders": {"retention": 1}}}}}

    parse(table)
    with pytest.raises(InvalidConfiguration, match=r"streams.orders.retention: there is no such setting"):
        parse(table, "prod")


def test_a_file_that_is_not_there_or_no_toml_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="there is no such file"):
        load(tmp_path / "pipeline.toml")
    (tmp_path / "pipeline.toml").write_text("name = ")
    with pytest.raises(InvalidConfiguration, match="is no TOML"):
        load(tmp_path / "pipeline.toml")
    (tmp_path / "pipeline.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(InvalidConfiguration, match="is no TOML"):
        load(tmp_path / "pipeline.toml")
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        load(tmp_path)
