"""Reads ``pipeline.toml`` for one environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from deploy.config.pipeline import Pipeline
from deploy.config.problems import InvalidConfiguration, Problem, inside, listed, nearest
from deploy.config.reading import read

if TYPE_CHECKING:
    from pathlib import Path

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9]{0,9}")


def load(path: Path, environment: str | None = None) -> Pipeline:
    """The pipeline of the file. Raises ``InvalidConfiguration`` with everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            given = tomllib.load(file)
    except FileNotFoundError:
        raise InvalidConfiguration(
            str(path), [Problem("", "there is no such file; examples/pipeline-minimal.toml is one to start from")]
        ) from None
    except OSError as error:
        raise InvalidConfiguration(str(path), [Problem("", f"cannot be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(str(path), [Problem("", f"is no TOML: {error}")]) from error
    return parse(given, environment, source=str(path))


def parse(given: Mapping[str, Any], environment: str | None = None, *, source: str = "pipeline.toml") -> Pipeline:
    """The pipeline that TOML's tables describe, with ``[env.NAME]`` laid over the rest."""
    problems: list[Problem] = []
    overrides = given.get("env", {})
    base = {name: value for name, value in given.items() if name != "env"}
    if not isinstance(overrides, dict) or not all(isinstance(table, dict) for table in overrides.values()):
        raise InvalidConfiguration(source, [Problem("env", "holds tables, like [env.prod.streams.orders]")])
    problems += [
        Problem(f"env.{name}", "is no name: up to 10 small letters and digits, like 'prod'")
        for name in overrides
        if not _ENVIRONMENT.fullmatch(name)
    ]
    if environment is not None and environment not in overrides:
        known = f"this file has {listed(overrides)}" if overrides else "this file has none"
        hint = nearest(environment, overrides) or ";"
        problems.append(Problem("env", f"there is no [env.{environment}]{hint} {known}"))
    if environment is not None and not problems:
        base = _merged(base, overrides[environment])
    pipeline = read(Pipeline, base, "", problems)
    if pipeline is None or problems:
        raise InvalidConfiguration(source, sorted(problems))
    if environment is None:
        return pipeline
    pipeline = replace(pipeline, environment=environment)
    problems += [Problem(inside("", below), message) for below, message in pipeline.complaints()]
    if problems:
        raise InvalidConfiguration(source, sorted(problems))
    return pipeline


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged; anything else, lists too, is replaced."""
    merged = dict(base)
    for name, value in over.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
