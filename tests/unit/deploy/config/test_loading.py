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


@pytest.mark.parametrize("chosen", [None, "dev", "prod"])
def test_a_mistake_in_an_environment_is_found_whichever_is_chosen(chosen: str | None) -> None:
    table = {**TABLE, "env": {"prod": {"streams": {"orders": {"retention": 1}}}, "dev": {}}}

    with pytest.raises(InvalidConfiguration) as raised:
        parse(table, chosen)
    (problem,) = raised.value.problems
    assert problem.path == "env.prod.streams.orders.retention"


def test_a_mistake_is_told_where_it_stands() -> None:
    """What every environment has from the file is the file's; what one makes of it, its own."""
    table = {**TABLE, "streams": {"orders": {"retention_hours": 1}, "b": {}}}
    table["env"] = {"prod": {"streams": {"b": {"mode": "provisioned"}}}, "dev": {}}

    with pytest.raises(InvalidConfiguration) as raised:
        parse(table, "dev")
    assert [problem.path for problem in raised.value.problems] == [
        "env.prod.streams.b.shards",
        "streams.orders.retention_hours",
    ]


def test_an_environment_may_complete_what_the_file_leaves_open() -> None:
    table = {"name": "shop", "env": {"prod": {"streams": {"orders": {}}}}}

    assert parse(table, "prod").streams.keys() == {"orders"}
    with pytest.raises(InvalidConfiguration, match="streams: is missing"):
        parse(table)


PAGE = ["arn:aws:sns:eu-west-1:123456789012:pages"]


def test_what_changes_nothing_in_one_environment_may_stand_for_another() -> None:
    off, on = {"enabled": False}, {"enabled": True}

    for base, dev in ((on, off), (off, on)):
        parse({**TABLE, "monitoring": {**base, "page": PAGE}, "env": {"dev": {"monitoring": dev}}})
    with pytest.raises(
        InvalidConfiguration, match=r"^pipeline.toml: monitoring.page: changes nothing: enabled is false"
    ):
        parse({**TABLE, "monitoring": {**off, "page": PAGE}, "env": {"dev": {}}})
    with pytest.raises(InvalidConfiguration, match=r"^pipeline.toml: env.dev.monitoring.page: changes nothing"):
        parse({**TABLE, "env": {"dev": {"monitoring": {**off, "page": PAGE}}}})


def test_each_pipeline_knows_the_other_environments() -> None:
    assert {other.environment for other in parse(TABLE, "prod").others} == {None, "dev"}
    assert parse(TABLE).others[0].others == ()


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
