"""The reference pages name what there is: every public name, parameter, option and setting, with its default."""

from __future__ import annotations

import inspect
import re
import tomllib
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import pytest
import typer

import kstream
import kstream.ingest
import kstream.testing
from kstream import CircuitBreaker, Consumer, EventSourceMapping, Outcome, Record, Retry
from kstream.cli.app import build
from tests.docs.pages import ROOT, Page, first_cells

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

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


@pytest.mark.parametrize("module", [kstream, kstream.ingest, kstream.testing], ids=lambda it: it.__name__)
def test_every_public_name_stands_in_the_reference(module: ModuleType) -> None:
    missing = [name for name in module.__all__ if not re.search(rf"\b{name}\b", CONSUMER.text)]
    assert missing == (["__version__"] if module is kstream else [])


def test_the_arguments_of_stores_and_of_the_client() -> None:
    """As they stand behind the name; what is for tests alone may be left out."""
    rows = _ROW.findall(CONSUMER.section("Ledgers and dead letters"))
    shown = {name.strip("`"): re.match(r"`\((.*?)\)`", what) for name, what in rows}
    said = {name: match[1] for name, match in shown.items() if match}
    said["IngestClient"] = " ".join(re.findall(r"^`IngestClient\((.*?)\)`", CONSUMER.text, re.DOTALL | re.MULTILINE))
    assert len(said) == 9
    for name, arguments in said.items():
        there = inspect.signature(getattr(kstream, name)).parameters.keys() - {"transport", "clock", "uniform"}
        assert set(re.findall(r"\w+(?==|,|$)", re.sub(r'="[^"]*"|=None', "", arguments))) == there, name


def test_the_errors_are_those_of_the_tree() -> None:
    from kstream.core import errors

    shown = set(re.findall(r"^[├└─│ ]*(\w+)", CONSUMER.section("Errors"), re.MULTILINE))
    there = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert shown - {"text"} == there | {"IngestError"}


def leaves_and_groups(command: Any, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command below this one with its whole name, a group before what is in it."""
    for name, below in command.commands.items():
        yield f"{above}{name}", below
        if hasattr(below, "commands"):
            yield from leaves_and_groups(below, f"{above}{name} ")


COMMANDS = dict(leaves_and_groups(typer.main.get_command(build())))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command(name: str) -> None:
    shown = defaults(CLI.section(name).partition("\n#")[0])
    options = [option for option in COMMANDS[name].params if option.opts[0].startswith("--")]
    assert list(shown) == [option.opts[0] for option in options if not getattr(option, "hidden", False)]
    for option in options:
        if option.default not in (None, False):
            assert shown[option.opts[0]] == str(option.default), option.opts[0]


def test_every_command_has_a_section() -> None:
    assert re.findall(r"^##+ (.+)$", CLI.text, re.MULTILINE) == list(COMMANDS)
    for section, name in re.findall(r"^(##+) (.+)$", CLI.text, re.MULTILINE):
        assert len(section) == 2 + name.count(" "), f"{name} is not below its group"


def test_the_settings() -> None:
    """The variables are those that settings.py reads."""
    source = (ROOT / "kstream" / "settings.py").read_text()
    assert set(defaults(SETTINGS.text)) == set(re.findall(r'os\.environ\.get\("(\w+)"\)', source))


def test_the_map_names_what_there_is() -> None:
    """Every path in ARCHITECTURE.md exists, and every folder of the source stands in it."""
    text = ARCHITECTURE.prose
    paths = re.findall(r"`((?:kstream|tests|consumers|deploy|examples|benchmarks|docs)/[\w./]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    packages = {file.parent.relative_to(ROOT) for file in (ROOT / "kstream").glob("*/**/*.py")}
    assert [str(package) for package in sorted(packages) if not stands_in(text, package)] == []
    applications = [file.parent.name for file in (ROOT / "consumers").glob("*/README.md")]
    assert [name for name in applications if f"{name}/" not in text] == []


def stands_in(text: str, package: Path) -> bool:
    """By its path, or by its last names where a table is about what is above it."""
    return f"`{package}/`" in text or f"{package.parent.name}/{package.name}/`" in text or f"`{package.name}/`" in text


def test_the_layers_are_those_that_the_linter_checks() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    checked = [[name.rpartition(".")[2] for name in layer.split(" | ")] for layer in layers]
    picture = ARCHITECTURE.section("Layers").split("```text\n")[1].split("```")[0]
    left = [re.split(r"  +(?![ │])", row.strip())[0] for row in picture.splitlines()]
    assert [re.findall(r"\w+", names.replace("kstream/", "")) for names in left] == checked


def test_the_map_of_the_core_is_whole() -> None:
    [_, table] = ARCHITECTURE.text.split("In `kstream/core`:")
    shown = set(first_cells(table.partition("\n## ")[0]))
    core = ROOT / "kstream" / "core"
    there = {file.name for file in core.glob("*.py") if file.name != "__init__.py"}
    there |= {f"{folder.name}/" for folder in core.iterdir() if (folder / "__init__.py").exists()}
    assert shown == there
