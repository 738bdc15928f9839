"""A consumer from its author's module; and what its author reads when that does not work."""

from __future__ import annotations

import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from kstream.core.errors import ConfigurationError
from kstream.local.loading import load
from kstream.local.target import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kstream.runtimes.aws_lambda import LambdaHandler

HANDLER = """
from kstream import Consumer, Handler, on_lambda

class Orders(Handler):
    def process(self, record):
        pass
"""


@pytest.fixture(autouse=True)
def _imports_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., LambdaHandler]:
    def loaded(source: str, name: str = "", file: str = "orders_under_test.py") -> LambdaHandler:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(dedent(source))
        return load(target_of(f"{file}{name}"))

    return loaded


def test_the_only_consumer_is_found(loaded: Callable[..., LambdaHandler]) -> None:
    assert loaded(HANDLER + "anything = Consumer(Orders)").consumer.name == "Orders"


def test_the_modules_own_lambda_handler_is_what_runs(loaded: Callable[..., LambdaHandler]) -> None:
    handler = loaded(HANDLER + "consumer = Consumer(Orders)\nlambda_handler = on_lambda(consumer, answer='raise')")

    assert handler is sys.modules["orders_under_test"].lambda_handler


def test_one_of_several_must_be_named(loaded: Callable[..., LambdaHandler]) -> None:
    source = HANDLER + "first = Consumer(Orders)\nsecond = Consumer(Orders, name='other')"

    with pytest.raises(ConfigurationError, match=r"several consumers \(first, second\).*orders_under_test\.py:first"):
        loaded(source)
    assert loaded(source, ":second").consumer.name == "other"


def test_two_names_for_one_consumer_are_one(loaded: Callable[..., LambdaHandler]) -> None:
    assert loaded(HANDLER + "first = second = Consumer(Orders)").consumer.name == "Orders"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "there is no Consumer in orders_under_test.py: add one"),
        (":consumer", "there is no consumer in orders_under_test.py"),
        (
            ":Orders",
            r"Orders in orders_under_test.py is .*not a Consumer: wrap it, as in consumer = Consumer\(Orders\)",
        ),
    ],
)
def test_a_module_without_the_consumer_says_what_to_do(
    loaded: Callable[..., LambdaHandler], name: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        loaded(HANDLER, name)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\ny = x / 0", "ZeroDivisionError: division by zero\n  orders_under_test.py, line 2\n    y = x / 0"),
        ("def f(:\n", "SyntaxError: invalid syntax\n  orders_under_test.py, line 1\n    def f(:"),
        ("import json\njson.loads('')", "orders_under_test.py, line 2\n    json.loads('')"),
        ("import sys\nsys.exit(3)", "SystemExit: 3\n  orders_under_test.py, line 2"),
        ("import nosuchthing.x", "install nosuchthing where kstream is installed, or correct the import"),
        ("from kstream import Consumer\nConsumer(3)", "ConfigurationError: Consumer(3): give a subclass"),
    ],
)
def test_an_import_that_fails_shows_the_authors_own_line(
    loaded: Callable[..., LambdaHandler], source: str, told: str
) -> None:
    """Not the line in the library where it surfaced, and no traceback."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(source)

    assert str(caught.value).startswith("orders_under_test.py does not import: ")
    assert told in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "orders_under_test" not in sys.modules


def test_a_file_imports_its_neighbours_its_package_and_its_project(
    loaded: Callable[..., LambdaHandler], tmp_path: Path
) -> None:
    (tmp_path / "shop_prices.py").write_text("PRICE = 1")
    (tmp_path / "shop_consumers").mkdir()
    (tmp_path / "shop_consumers" / "__init__.py").touch()
    (tmp_path / "shop_consumers" / "names.py").write_text("NAME = 'from the package'")
    source = (
        "from shop_prices import PRICE\nfrom .names import NAME\nimport shop_consumers.names\n"
        + HANDLER
        + "consumer = Consumer(Orders, name=NAME)"
    )

    assert loaded(source, file="shop_consumers/orders.py").consumer.name == "from the package"
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "beside.py").write_text("NAME = 'beside'")
    source = "from beside import NAME\n" + HANDLER + "consumer = Consumer(Orders, name=NAME)"
    assert loaded(source, file="plain/plain_orders.py").consumer.name == "beside"


def test_a_module_is_loaded_by_its_dotted_name(tmp_path: Path) -> None:
    (tmp_path / "shop_by_name").mkdir()
    (tmp_path / "shop_by_name" / "orders.py").write_text(HANDLER + "consumer = Consumer(Orders)")

    assert load(target_of("shop_by_name.orders")).consumer.name == "Orders"
    with pytest.raises(ConfigurationError, match=r"shop_by_name\.nothing does not import: ModuleNotFoundError"):
        load(target_of("shop_by_name.nothing"))
