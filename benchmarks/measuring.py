"""One benchmark, by its name. In a module that a process of its own can import: it cannot what was run as the program."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.result import Result


def measure(name: str, *, quick: bool) -> Result:
    result: Result = import_module(f"benchmarks.{name}").run(quick=quick)
    return result
