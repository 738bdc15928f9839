"""Whether a module has the function that ``handler`` names. The module is read, not run."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ANYTHING = "*"
"""Stands for names that only running the module would tell: ``from x import *``, ``__getattr__``."""


def names_of(source: bytes, file: str) -> frozenset[str]:
    """What is bound at the top of a module, under any condition. Raises ``SyntaxError``."""
    return frozenset(_bound(ast.parse(source, file).body))


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield ANYTHING if statement.name == "__getattr__" else statement.name
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
        else:
            targets = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            yield from (node.id for node in targets if isinstance(node.ctx, ast.Store))
            for field in ("body", "orelse", "finalbody"):
                yield from _bound(getattr(statement, field, []))
            for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from _bound(part.body)
