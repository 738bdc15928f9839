"""The reference pages name what there is: every public name, parameter, option and setting, with its default."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import pytest
import typer

import kstream
from kstream import CircuitBreaker, Consumer, EventSourceMapping, Outcome, Record, Retry
from kstream.cli.app import build
from tests.docs.pages import ROOT, Page, first_cells

if TYPE_CHECKING:
    import click

CONSUMER = Page("docs/reference/consumer.md")
CLI = Page("docs/reference/cli.md")
SETTINGS = Page("docs/reference/settings.md")
ARCHITECTURE = Page("ARCHITECTURE.md")

_ROW = re.compile(r"^\| (.*?) \|(?: (.*?) \|| *\|)", re.MULTILINE)


def defaults(section: str) -> dict[str, str]:
    """The first two columns of a table, without backticks."""
    rows = [(first.strip("`"), second or "") for first, second in _ROW.findall(section)]
    return {first: second.strip("`") for first, second in rows[1:] if not first.startswith("---")}


@pytest.mark.parametrize("described", [Consumer, Retry, CircuitBreaker, EventSourceMapping], ids=lambda it: it.__name__)
def test_the_parameters_of_a_policy(described: Any) -> None:
    shown = defaults(CONSUMER.section(described.__name__))
    assert list(shown) == [field.name for field in fields(described)]
    for field in fields(described):
        if field.default is not MISSING and field.default != "":
            expected = str(field.default) if isinstance(field.default, (int, float)) else repr(field.default)
            assert (
                shown[field.name]
                .replace('"', "'")
                .replace("Exception,", "<class 'Exception'>,")
                .replace("OSError,", "<class 'OSError'>,")
                == expected
            ), field.name


def test_the_attributes_of_records_and_outcomes() -> None:
    record = {name.removesuffix("()") for name in first_cells(CONSUMER.section("Record"))}
    assert record == {name for name in vars(Record) if not name.startswith("_")} - {"as_arrived"}
    outcome = set(first_cells(CONSUMER.section("on_lambda")))
    assert outcome == {field.name for field in fields(Outcome)}


def test_every_public_name_stands_in_the_reference() -> None:
    missing = [name for name in kstream.__all__ if not re.search(rf"\b{name}\b", CONSUMER.text)]
    assert missing == ["__version__"]


def test_the_errors_are_those_of_the_tree() -> None:
    from kstream.core import errors

    shown = set(re.findall(r"^[├└─│ ]*(\w+)", CONSUMER.section("Errors"), re.MULTILINE))
    there = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert shown - {"text"} == there | {"IngestError"}


COMMANDS: dict[str, click.Command] = typer.main.get_command(build()).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command(name: str) -> None:
    shown = defaults(CLI.section(name))
    options = [option for option in COMMANDS[name].params if option.opts[0].startswith("--")]
    assert list(shown) == [option.opts[0] for option in options if not getattr(option, "hidden", False)]
    for option in options:
        if option.default not in (None, False):
            assert shown[option.opts[0]] == str(option.default), option.opts[0]


def test_every_command_has_a_section() -> None:
    sections = re.findall(r"^## (.+)$", CLI.text, re.MULTILINE)
    assert sections == list(COMMANDS)


def test_the_settings() -> None:
    """The variables are those that settings.py reads."""
    source = (ROOT / "kstream" / "settings.py").read_text()
    assert set(defaults(SETTINGS.text)) == set(re.findall(r'os\.environ\.get\("(\w+)"\)', source))


def test_the_map_names_what_there_is() -> None:
    """Every path in ARCHITECTURE.md exists, and every folder of the source stands in it."""
    text = ARCHITECTURE.prose
    paths = re.findall(r"`((?:kstream|tests|consumers|benchmarks|docs)/[\w./]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    folders = {file.parent.relative_to(ROOT) for file in (ROOT / "kstream").glob("*/*.py")}
    assert [str(folder) for folder in sorted(folders) if f"{folder}/" not in text] == []


def test_the_map_of_the_core_is_whole() -> None:
    [_, table] = ARCHITECTURE.text.split("In `kstream/core`:")
    shown = set(first_cells(table.partition("\n## ")[0]))
    core = ROOT / "kstream" / "core"
    there = {file.name for file in core.glob("*.py") if file.name != "__init__.py"}
    there |= {f"{folder.name}/" for folder in core.iterdir() if (folder / "__init__.py").exists()}
    assert shown == there
