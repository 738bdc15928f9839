"""LocalStack's sources are rewritten for Python 3.11 so that they mean the same."""

from __future__ import annotations

import queue
from typing import Any

import pytest

from tests.support.localstack.backport import rewrite


def names_of(source: str) -> dict[str, Any]:
    """What a module defines after it was rewritten, on the Python that runs the tests."""
    names: dict[str, Any] = {"__name__": "rewritten"}
    exec(compile(rewrite(source), "rewritten", "exec", dont_inherit=True), names)
    return names


def test_a_generic_class_can_still_be_subscripted() -> None:
    names = names_of("class Box[T]:\n    pass\nalias = Box[int]\n")

    assert names["alias"].__origin__ is names["Box"]


def test_a_generic_class_keeps_its_bases_and_decorators() -> None:
    names = names_of(
        "import queue, dataclasses\n"
        "class Line[T](queue.Queue):\n    pass\n"
        "class Urgent[T](queue.PriorityQueue[T], Line[T]):\n    pass\n"
        "@dataclasses.dataclass\nclass Pair[A, B: int]:\n    first: A\n    second: B\n"
    )

    assert issubclass(names["Urgent"], queue.PriorityQueue)
    assert names["Pair"](1, 2).second == 2


def test_a_generic_function_and_method_still_take_what_they_took() -> None:
    names = names_of(
        "from __future__ import annotations\n"
        "def same[T](value: T) -> T:\n    return value\n"
        "class Maker:\n    def many[T](\n        self, value: T\n    ) -> list[T]:\n        return [value]\n"
    )

    assert names["same"](1) == 1
    assert names["Maker"]().many(1) == [1]


def test_a_type_alias_is_its_value() -> None:
    assert names_of("type Text = str\n")["Text"] is str


def test_a_lock_can_be_named_in_an_annotation() -> None:
    names = names_of("from threading import Lock\ndef use(lock: Lock | None = None): return lock\n")

    assert names["use"]() is None


@pytest.mark.parametrize(
    "source", ["class Plain(dict):\n    x: dict[str, int]\n", "type_of = 1\nprint(f'{type_of}')\n"]
)
def test_other_source_stays_as_it_is(source: str) -> None:
    assert rewrite(source) == source
