"""Log lines in Lambda: whose handlers are changed, whose are not, and what a wrong setting says."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest

from kstream import ConfigurationError, Consumer, Handler, on_lambda
from kstream.runtimes.lambda_logs import write_json_lines
from kstream.settings import Settings
from kstream.telemetry import ContextFilter, JsonFormatter
from tests.support.processing import entry, event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kstream import Record

IN_LAMBDA = Settings(in_lambda=True, service="orders")


class Plain(Handler):
    def process(self, record: Record) -> None:
        logging.getLogger("app").warning("hello")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger as a fresh process has it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


class Own(logging.Formatter):
    """The user's."""


def test_plain_handlers_write_json_and_those_with_a_formatter_of_their_own_stay(root: logging.Logger) -> None:
    bare, plain, own = (logging.StreamHandler(io.StringIO()) for _ in range(3))
    plain.setFormatter(logging.Formatter("%(message)s"))
    own.setFormatter(Own())
    for handler in (bare, plain, own):
        root.addHandler(handler)
    write_json_lines(IN_LAMBDA)
    logging.getLogger("app").error("hello")
    for handler in (bare, plain):
        line = json.loads(handler.stream.getvalue())
        assert (line["message"], line["service"]) == ("hello", "orders")
        assert handler.stream.getvalue().count("\n") == 1
    assert own.stream.getvalue() == "hello\n"
    assert not own.filters


def test_repeating_it_changes_nothing(root: logging.Logger) -> None:
    root.addHandler(handler := logging.StreamHandler())
    root.setLevel(logging.ERROR)
    write_json_lines(IN_LAMBDA)
    formatter = handler.formatter
    write_json_lines(IN_LAMBDA)
    assert handler.formatter is formatter
    assert [type(one) for one in handler.filters] == [ContextFilter]
    assert root.level == logging.ERROR


def test_where_nothing_is_set_up_lines_go_to_stderr(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    root.handlers.clear()  # pytest has added its own for this very phase
    write_json_lines(IN_LAMBDA)
    logging.getLogger("app").warning("hello")
    logging.getLogger("app").info("not this")
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["hello"]


@pytest.mark.parametrize("logs", ["", "json", "text"])
@pytest.mark.parametrize("function", ["", "totals"])
def test_only_in_lambda_and_unless_text_is_asked_for(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, logs: str, function: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
    monkeypatch.setenv("KSTREAM_LOGS", logs)
    monkeypatch.setenv("KSTREAM_METRICS", "off")
    handler = logging.StreamHandler(io.StringIO())
    root.addHandler(handler)
    for name in ("one", "two"):
        on_lambda(Consumer(Plain, name=name))(event(entry(1)))
    lines = handler.stream.getvalue().splitlines()
    if function and logs != "text":
        assert [json.loads(line)["consumer"] for line in lines] == ["one", "two"]
        assert {json.loads(line)["service"] for line in lines} == {"totals"}
    else:
        assert lines == ["hello", "hello"]
        assert handler.formatter is None
        assert not handler.filters


@pytest.mark.parametrize("function", ["", "totals"])
def test_a_wrong_form_is_refused_with_the_right_ones(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
    monkeypatch.setenv("KSTREAM_LOGS", "xml")
    root.handlers.clear()
    with pytest.raises(ConfigurationError, match="KSTREAM_LOGS='xml': give json or text"):
        on_lambda(Consumer(Plain)).build()
    assert not root.handlers


def test_naming_no_telemetry_does_not_change_the_form(root: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "totals")
    root.addHandler(handler := logging.StreamHandler())
    on_lambda(Consumer(Plain, telemetry=()))
    assert isinstance(handler.formatter, JsonFormatter)
