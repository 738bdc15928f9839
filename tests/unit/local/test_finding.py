"""What `kstream dev` works out from the consumer's file alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.core.errors import ConfigurationError
from kstream.local.finding import example_record, only_consumer, stream_name_for, watched_folder
from kstream.local.target import Target, target_of


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_only_consumer_of_the_folder_is_meant(here: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder consumers"):
        only_consumer()
    (here / "consumers").mkdir()
    (here / "consumers" / "__init__.py").touch()
    (here / "consumers" / "README.md").touch()
    with pytest.raises(ConfigurationError, match="no Python file in consumers/"):
        only_consumer()
    (here / "consumers" / "orders.py").touch()
    assert only_consumer() == "consumers/orders.py"
    (here / "consumers" / "flights").mkdir()
    (here / "consumers" / "flights" / "consumer.py").touch()
    with pytest.raises(ConfigurationError, match=r"name one of consumers/flights, consumers/orders\.py"):
        only_consumer()


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Target(Path("/x/consumers/order_totals.py"), "", None), "order-totals"),
        (Target(Path("/x/consumers/flights/consumer.py"), "", None), "flights"),
        (Target(Path("/x/consumers/flights/__init__.py"), "", None), "flights"),
        (Target(None, "shop.consumers.order_totals", None), "order-totals"),
    ],
)
def test_a_stream_is_named_after_the_module(target: Target, name: str) -> None:
    assert stream_name_for(target) == name


def test_a_folder_is_watched_with_all_below_but_a_project_only_at_its_top(here: Path) -> None:
    (here / "consumers").mkdir()
    (here / "consumers" / "orders.py").touch()
    (here / "orders.py").touch()

    assert watched_folder(target_of("consumers/orders.py")) == (here / "consumers", True)
    assert watched_folder(target_of("orders.py")) == (here, False)
    assert watched_folder(target_of("consumers.orders")) == (here / "consumers", True)


@pytest.mark.parametrize(
    ("source", "record"),
    [
        ('"""Orders.\n\n    {not json}\n    {"amount": 1}\n    {"amount": 2}\n"""', '{"amount": 1}'),
        ('"""Orders."""', '{"hello": "world"}'),
        ("def broken(", '{"hello": "world"}'),
    ],
)
def test_the_record_to_try_stands_in_the_docstring(here: Path, source: str, record: str) -> None:
    (here / "orders.py").write_text(source)

    assert example_record(target_of("orders.py")) == record
