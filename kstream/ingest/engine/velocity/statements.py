"""Statements: what a template writes and sets. A statement is a function of the variables and of where to write."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from kstream.ingest.engine.velocity.errors import TemplateError
from kstream.ingest.engine.velocity.expressions import condition, expression

if TYPE_CHECKING:
    from kstream.ingest.engine.velocity.expressions import Expression, Variables

Write = Callable[[str], object]
Statement = Callable[[dict[str, Any], Write], None]

MOST_TURNS = 1_000


def statement(element: Any) -> Statement:
    """Compiles one element of airspeed's syntax tree."""
    kind = type(element).__name__
    compiler = _COMPILERS.get(kind)
    if compiler is None:
        raise TemplateError(f"{kind} is not built here: {element.my_text()[:80]!r}")
    return compiler(element)


def text_of(value: object) -> str:
    """A value as a reference writes it; nothing for null."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise TypeError(f"writing a {type(value).__name__} as Java does is not built here")


def _block(element: Any) -> Statement:
    statements = [statement(child) for child in element.children if type(child).__name__ != "Comment"]
    if len(statements) == 1:
        return statements[0]

    def run(variables: Variables, write: Write) -> None:
        for each in statements:
            each(variables, write)

    return run


def _text(element: Any) -> Statement:
    text: str = element.text

    def run(variables: Variables, write: Write) -> None:  # noqa: ARG001 - the shape of a statement
        write(text)

    return run


def _reference(element: Any) -> Statement:
    if element.expression is None or element.alternate is not None:
        raise TemplateError(f"the reference {element.my_text()[:80]!r} is not built here")
    value = expression(element)

    def run(variables: Variables, write: Write) -> None:
        result = value(variables)
        write(result if type(result) is str else text_of(result))

    return run


def _if(element: Any) -> Statement:
    first, block = condition(element.condition), statement(element.block)
    others = [(condition(other.condition), statement(other.block)) for other in element.elseifs]
    has_else = type(element.else_block).__name__ == "ElseBlock"
    last = statement(element.else_block.block) if has_else else None

    def run(variables: Variables, write: Write) -> None:
        if first(variables):
            block(variables, write)
            return
        for applies, other in others:
            if applies(variables):
                other(variables, write)
                return
        if last is not None:
            last(variables, write)

    return run


def _set(element: Any) -> Statement:
    assignment = element.assignment
    name: str = assignment.root_term
    value = expression(assignment.value)
    if not assignment.terms:

        def set_variable(variables: Variables, write: Write) -> None:  # noqa: ARG001 - the shape of a statement
            result = value(variables)
            if result is not None:
                variables[name] = result

        return set_variable
    path = [_term(term) for term in assignment.terms]

    def set_property(variables: Variables, write: Write) -> None:  # noqa: ARG001 - the shape of a statement
        target = variables[name]
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value(variables)

    return set_property


def _term(term: Any) -> str:
    if type(term.term).__name__ != "DotDictAccessTerm":
        raise TemplateError(f"#set of {term.my_text()!r} is not built here")
    name: str = term.term.value
    return name


def _foreach(element: Any) -> Statement:
    name: str = element.loop_var_name
    values: Expression = expression(element.value)
    block = statement(element.block)

    def run(variables: Variables, write: Write) -> None:
        items = values(variables)
        if items is None:
            return
        if type(items) is not list:
            raise TypeError(f"#foreach over a {type(items).__name__} is not built here")
        outer = {key: variables[key] for key in (name, "foreach") if key in variables}
        last = len(items) - 1
        turn = {"index": 0, "count": 0, "hasNext": False}
        variables["foreach"] = turn
        for index, item in enumerate(islice(items, MOST_TURNS)):
            turn["index"] = index
            turn["count"] = index + 1
            turn["hasNext"] = index < last
            variables[name] = item
            block(variables, write)
        variables.pop(name, None)
        del variables["foreach"]
        variables.update(outer)

    return run


_COMPILERS: dict[str, Callable[[Any], Statement]] = {
    "Block": _block,
    "Text": _text,
    "FormalReference": _reference,
    "IfDirective": _if,
    "SetDirective": _set,
    "ForeachDirective": _foreach,
}
