"""Reads ``pipeline.toml`` for one environment."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from deploy.config.pipeline import Pipeline
from deploy.config.problems import InvalidConfiguration, Problem, Problems, listed, nearest
from deploy.config.reading import read, stands

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
    """The pipeline that TOML's tables describe, with ``[env.NAME]`` laid over the rest. The other environments are read
    too: a mistake in one of them is found before it is deployed. Its ``others`` are what they come to."""
    overrides = given.get("env", {})
    base = {name: value for name, value in given.items() if name != "env"}
    _check_environments(overrides, environment, source)
    whole = _Reading.of(base, None)
    readings = {name: _Reading.of(_merged(base, over), name) for name, over in overrides.items()}
    chosen = whole if environment is None else readings[environment]
    problems = [problem for problem in chosen.problems if problem in whole.problems]
    problems += [
        problem.below(f"env.{name}")
        for name, reading in readings.items()
        for problem in reading.problems
        if problem not in whole.problems
    ]
    problems = problems or [*_idle(whole, readings, overrides)]
    if chosen.pipeline is None or problems:
        raise InvalidConfiguration(source, sorted(problems))
    others = [reading.pipeline for reading in (whole, *readings.values()) if reading is not chosen]
    return replace(chosen.pipeline, others=tuple(other for other in others if other is not None))


def _check_environments(overrides: Any, environment: str | None, source: str) -> None:
    if not isinstance(overrides, dict) or not all(isinstance(table, dict) for table in overrides.values()):
        raise InvalidConfiguration(source, [Problem("env", "holds tables, like [env.prod.streams.orders]")])
    problems = [
        Problem(f"env.{name}", "is no name: up to 10 small letters and digits, like 'prod'")
        for name in overrides
        if not _ENVIRONMENT.fullmatch(name)
    ]
    if environment is not None and environment not in overrides:
        known = f"this file has {listed(overrides)}" if overrides else "this file has none"
        hint = nearest(environment, overrides) or ";"
        problems.append(Problem("env", f"there is no [env.{environment}]{hint} {known}"))
    if problems:
        raise InvalidConfiguration(source, sorted(problems))


@dataclass(frozen=True, slots=True)
class _Reading:
    """The file as one environment has it; ``None`` is the file without any."""

    pipeline: Pipeline | None
    problems: Problems

    @classmethod
    def of(cls, given: Mapping[str, Any], environment: str | None) -> _Reading:
        problems = Problems()
        pipeline = read(Pipeline, given, "", problems)
        if pipeline is None or environment is None:
            return cls(pipeline, problems)
        pipeline = replace(pipeline, environment=environment)
        problems += [Problem(below, message) for below, message in pipeline.complaints()]
        return cls(pipeline, problems)

    def is_idle(self, path: str) -> bool:
        return any(problem.path == path for problem in self.problems.idle)


def _idle(
    whole: _Reading, readings: Mapping[str, _Reading], overrides: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    """What changes nothing wherever it counts. A topic for pages may stand in the file though one environment has no
    alarms."""
    for problem in whole.problems.idle:
        path = problem.path
        if all(reading.is_idle(path) or stands(overrides[name], path) for name, reading in readings.items()):
            yield problem
    for name, reading in readings.items():
        for problem in reading.problems.idle:
            if stands(overrides[name], problem.path):
                yield problem.below(f"env.{name}")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged; anything else, lists too, is replaced."""
    merged = dict(base)
    for name, value in over.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
