"""Expressions: literals, references, operators. An expression is a function of the variables.

Every record of a batch passes here several times, so what can be decided when the template is loaded is decided then.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from kstream.ingest.engine.velocity.errors import TemplateError
from kstream.ingest.engine.velocity.methods import method, property_of, util_function

Variables = dict[str, Any]
Expression = Callable[[Variables], Any]


def expression(element: Any) -> Expression:
    """Compiles one element of airspeed's syntax tree that has a value."""
    kind = type(element).__name__
    compiler = _COMPILERS.get(kind)
    if compiler is None:
        raise TemplateError(f"{kind} is not built here: {element.my_text()[:80]!r}")
    return compiler(element)


def condition(element: Any) -> Callable[[Variables], bool]:
    """Of ``#if`` and ``#elseif``."""
    value = expression(element.expression)

    def holds(variables: Variables) -> bool:
        result = value(variables)
        return result is not None and result is not False

    return holds


def _constant(value: object) -> Expression:
    return lambda variables: value  # noqa: ARG005 - the shape of an expression


def _literal(element: Any) -> Expression:
    return _constant(element.value)


def _interpolated(element: Any) -> Expression:
    from kstream.ingest.engine.velocity.statements import statement

    if all(type(child).__name__ == "Text" for child in element.block.children):
        return _constant("".join(child.text for child in element.block.children))
    block = statement(element.block)

    def run(variables: Variables) -> str:
        written: list[str] = []
        block(variables, written.append)
        return "".join(written)

    return run


def _list(element: Any) -> Expression:
    if type(element.values).__name__ != "ValueList":
        raise TemplateError(f"{element.my_text()!r} is not built here")
    values = [expression(value) for value in element.values.values]
    return lambda variables: [value(variables) for value in values]


def _not(element: Any) -> Expression:
    value = expression(element.value)

    def run(variables: Variables) -> bool:
        result = value(variables)
        return result is None or result is False

    return run


def _parenthesized(element: Any) -> Expression:
    # airspeed keeps nothing of it but the bound method of the expression inside.
    return expression(element.calculate.__self__)


def _operators(element: Any) -> Expression:
    terms = element.expression
    operands, pending = [expression(terms[0])], list[Any]()
    for place in range(1, len(terms), 2):
        while pending and not terms[place].greater_precedence_than(pending[-1]):
            _apply(pending.pop(), operands)
        pending.append(terms[place])
        operands.append(expression(terms[place + 1]))
    while pending:
        _apply(pending.pop(), operands)
    return operands[0]


def _apply(element: Any, operands: list[Expression]) -> None:
    right, left = operands.pop(), operands.pop()
    symbol = element.my_text().strip()
    if symbol in ("&&", "and"):
        operands.append(lambda variables: _true(left(variables)) and _true(right(variables)))
    elif symbol in ("||", "or"):
        operands.append(lambda variables: _true(left(variables)) or _true(right(variables)))
    elif symbol in _OPERATORS:
        apply = _OPERATORS[symbol]
        operands.append(lambda variables: apply(left(variables), right(variables)))
    else:
        raise TemplateError(f"the operator {symbol!r} is not built here")


def _true(value: object) -> bool:
    return value is not None and value is not False


def _reference(element: Any) -> Expression:
    variable = element.expression
    part, sub = variable.part, variable.subexpression
    if part.parameters is not None or part.index is not None:
        raise TemplateError(f"{element.my_text()[:80]!r} is not built here")
    if part.name == "util":
        return _util_call(element, sub)
    name: str = part.name
    value: Expression = lambda variables: variables.get(name)  # noqa: E731 - one of many closures
    while sub is not None:
        variable = sub.expression
        if type(variable).__name__ != "VariableExpression" or variable.part.index is not None:
            raise TemplateError(f"{element.my_text()[:80]!r} is not built here")
        value, sub = _member(value, variable.part), variable.subexpression
    return value


def _util_call(element: Any, sub: Any) -> Expression:
    part = sub and sub.expression.part
    if not part or part.parameters is None or len(_arguments(part)) != 1:
        raise TemplateError(f"{element.my_text()[:80]!r} is not built here")
    function, (argument,) = util_function(part.name), _arguments(part)
    value: Expression = lambda variables: function(argument(variables))  # noqa: E731
    sub = sub.expression.subexpression
    while sub is not None:
        value, sub = _member(value, sub.expression.part), sub.expression.subexpression
    return value


def _member(of: Expression, part: Any) -> Expression:
    name: str = part.name
    if part.parameters is not None:
        return method(name, of, _arguments(part))

    def get(variables: Variables) -> Any:
        target = of(variables)
        return target.get(name) if type(target) is dict else property_of(target, name)

    return get


def _arguments(part: Any) -> list[Expression]:
    values = part.parameters.values
    return [expression(value) for value in getattr(values, "values", ())]


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "+": operator.add,
    "-": operator.sub,
}

_COMPILERS: dict[str, Callable[[Any], Expression]] = {
    "Value": lambda element: expression(element.expression),
    "Expression": _operators,
    "FormalReference": _reference,
    "StringLiteral": _literal,
    "InterpolatedStringLiteral": _interpolated,
    "IntegerLiteral": _literal,
    "BooleanLiteral": _literal,
    "ArrayLiteral": _list,
    "UnaryOperatorValue": _not,
    "ParenthesizedExpression": _parenthesized,
}
