"""From TOML's tables to the configuration's classes. What is wrong is collected; nothing is guessed or converted.

A class is read by its type hints and its settings' limits. Types: ``bool``, ``int``, ``float``, ``str``, ``datetime``,
``X | None``, ``tuple[X, ...]``, ``Mapping[str, X]``, another ``Table``, and ``object`` for anything TOML can say.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from deploy.config.fields import Setting, Table, settings_of
from deploy.config.problems import Problem, Problems, inside, listed, nearest

T = TypeVar("T", bound=Table)

_INVALID: Any = object()
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def read(cls: type[T], given: Mapping[str, Any], path: str, problems: Problems) -> T | None:
    """An instance of ``cls``; None if anything below ``path`` is wrong, which is then in ``problems``."""
    before = len(problems)
    known, kinds = settings_of(cls), hints(cls)
    for name in sorted(given.keys() - known.keys()):
        hint = nearest(name, known) or "."
        problems.append(Problem(inside(path, name), f"there is no such setting{hint} Allowed: {listed(known)}"))
    values = {}
    for name, (field, setting) in known.items():
        where = inside(path, name)
        if name in given:
            values[name] = _value(kinds[name], given[name], setting, where, problems)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(Problem(where, f"is missing: {setting.doc}{_example(setting)}"))
    if len(problems) > before:
        return None
    table = cls(**values)
    problems += [Problem(inside(path, below), message) for below, message in table.complaints()]
    if len(problems) > before:
        return None
    problems.idle += [
        Problem(inside(path, below), f"changes nothing: {why}. Take it out")
        for below, why in table.idle()
        if stands(given, below)
    ]
    return table


def stands(given: Mapping[str, Any], path: str) -> bool:
    """Whether something is given at the path."""
    at: Any = given
    for name in path.split("."):
        if not isinstance(at, dict) or name not in at:
            return False
        at = at[name]
    return True


def hints(cls: type) -> dict[str, Any]:
    """The types of its fields."""
    return get_type_hints(cls)


def _value(kind: Any, given: Any, setting: Setting, path: str, problems: Problems) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), given, setting, path, problems)
    if origin is tuple:
        return _list(get_args(kind)[0], given, setting, path, problems)
    if origin is Mapping:
        return _table(get_args(kind)[1], given, setting, path, problems)
    if isinstance(kind, type) and issubclass(kind, Table):
        if not isinstance(given, dict):
            problems.append(Problem(path, f"is {given!r}; it is a table, with {listed(settings_of(kind))}"))
            return _INVALID
        return read(kind, given, path, problems)
    return _scalar(kind, given, setting, path, problems)


def _one_of(kinds: tuple[Any, ...], given: Any, setting: Setting, path: str, problems: Problems) -> Any:
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    for kind in kinds[:-1]:
        if type(given) is kind:
            return _value(kind, given, setting, path, problems)
    return _value(kinds[-1], given, setting, path, problems)


def _list(kind: Any, given: Any, setting: Setting, path: str, problems: Problems) -> Any:
    if not isinstance(given, list):
        problems.append(Problem(path, f"is {given!r}; it is a list{_example(setting)}"))
        return _INVALID
    _count(given, setting, path, problems)
    problems += [
        Problem(f"{path}[{number}]", f"is {item!r}, which stands there already: each once")
        for number, item in enumerate(given)
        if item in given[:number]
    ]
    one = dataclasses.replace(setting, low=None, high=None)
    return tuple(_value(kind, item, one, f"{path}[{number}]", problems) for number, item in enumerate(given))


def _table(kind: Any, given: Any, setting: Setting, path: str, problems: Problems) -> Any:
    if not isinstance(given, dict):
        problems.append(Problem(path, f"is {given!r}; it is a table{_example(setting)}"))
        return _INVALID
    _count(given, setting, path, problems)
    problems += [
        Problem(inside(path, name), f"is no name that can stand here; names are {setting.names.words}")
        for name in given
        if setting.names and not setting.names.fits(name)
    ]
    one = dataclasses.replace(setting, low=None, high=None)
    return {name: _value(kind, item, one, inside(path, name), problems) for name, item in given.items()}


def _count(given: Any, setting: Setting, path: str, problems: Problems) -> None:
    if setting.low is not None and len(given) < setting.low:
        problems.append(Problem(path, f"has {len(given)} entries; at least {setting.low:,} are needed"))
    if setting.high is not None and len(given) > setting.high:
        problems.append(Problem(path, f"has {len(given)} entries; at most {setting.high:,} are allowed"))


def _scalar(kind: Any, given: Any, setting: Setting, path: str, problems: Problems) -> Any:
    if kind is object:
        return given
    if kind is datetime:
        if not isinstance(given, datetime):
            problems.append(Problem(path, f"is {given!r}; it is a time with its offset, like 2026-01-31T12:00:00Z"))
            return _INVALID
        return given
    # bool is an int to Python, and never meant as one.
    fits = type(given) is kind or (kind is float and type(given) is int)
    if setting.choices and (not fits or given not in setting.choices):
        hint = nearest(str(given), setting.choices).removesuffix("?")
        problems.append(Problem(path, f"is {given!r}; it is one of {listed(setting.choices)}{hint}"))
        return _INVALID
    if not fits:
        problems.append(Problem(path, f"is {given!r}; it is {_NAMES[kind]}{_range(setting)}{_example(setting)}"))
        return _INVALID
    if setting.pattern is not None and kind is str and not setting.pattern.fits(given):
        words = f"{_meaning(setting)}: {setting.pattern.words}{_example(setting)}"
        problems.append(Problem(path, f"is {given!r}; it is {words}"))
    if kind in (int, float) and not _within(given, setting):
        problems.append(Problem(path, f"is {given}; allowed is{_range(setting)}"))
    return given


def _meaning(setting: Setting) -> str:
    """As the end of a sentence."""
    doc = setting.doc
    return doc if doc[:2].isupper() else doc[0].lower() + doc[1:]


def _within(given: float, setting: Setting) -> bool:
    return (setting.low is None or given >= setting.low) and (setting.high is None or given <= setting.high)


def _range(setting: Setting) -> str:
    if setting.low is None and setting.high is None:
        return ""
    if setting.high is None:
        return f" {setting.low:,} or more"
    return f" {setting.low:,} to {setting.high:,}"


def _example(setting: Setting) -> str:
    return f", for example {setting.example}" if setting.example else ""
