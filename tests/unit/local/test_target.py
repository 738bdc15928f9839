"""What a command line may name a consumer by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kstream.core.errors import ConfigurationError
from kstream.local.target import target_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "consumers").mkdir()
    (tmp_path / "consumers" / "orders.py").touch()
    return tmp_path


def test_a_file_is_named_with_or_without_an_attribute(here: Path) -> None:
    assert target_of("consumers/orders.py").file == here / "consumers" / "orders.py"
    assert target_of("consumers/orders.py").attribute is None
    assert target_of("consumers/orders.py:totals").attribute == "totals"
    assert str(target_of(str(here / "consumers" / "orders.py"))) == "consumers/orders.py"


def test_a_dotted_name_is_a_module() -> None:
    target = target_of("shop.consumers.orders:totals")

    assert (target.file, target.module, target.attribute) == (None, "shop.consumers.orders", "totals")


def test_a_folder_stands_for_its_consumer_file_or_else_the_package(here: Path) -> None:
    (here / "flights").mkdir()
    with pytest.raises(ConfigurationError, match=r"neither consumer\.py nor __init__\.py"):
        target_of("flights")
    (here / "flights" / "__init__.py").touch()
    assert target_of("flights").file == here / "flights" / "__init__.py"
    (here / "flights" / "consumer.py").touch()
    assert target_of("flights/").file == here / "flights" / "consumer.py"


@pytest.mark.parametrize("wrong", ["consumers/order.py", "orders.py", "a/b", "not a name", ""])
def test_what_is_not_there_is_an_error_that_names_it(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no file" if wrong else "names no consumer"):
        target_of(wrong)


def test_a_file_that_is_no_python_is_refused(here: Path) -> None:
    (here / "orders.txt").touch()
    with pytest.raises(ConfigurationError, match="not a Python file"):
        target_of("orders.txt")


def test_a_package_reaches_up_as_far_as_there_are_init_files(here: Path) -> None:
    deep = here / "shop" / "consumers"
    deep.mkdir(parents=True)
    (deep / "orders.py").touch()
    assert target_of("shop/consumers/orders.py").package == (deep, "orders")
    (deep / "__init__.py").touch()
    assert target_of("shop/consumers/orders.py").package == (here / "shop", "consumers.orders")
    (here / "shop" / "__init__.py").touch()
    assert target_of("shop/consumers/orders.py").package == (here, "shop.consumers.orders")
    assert target_of("shop/consumers").package == (here, "shop.consumers")


def test_a_project_is_the_nearest_marked_directory(here: Path) -> None:
    target = target_of("consumers/orders.py")
    (here / "pyproject.toml").touch()
    assert target.project == here
    (here / "consumers" / ".git").mkdir()
    assert target.project == here / "consumers"
