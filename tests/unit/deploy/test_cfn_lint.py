"""cfn-lint, which knows CloudFormation's own schemas, finds nothing in any template, not even a hint."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from deploy.config import InvalidConfiguration, parse
from deploy.environment import EnvironmentTooLarge
from deploy.synthesis import stacks
from tests.golden.deploy import CASES, pipeline
from tests.support.pipelines import almost, pipelines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.stacks import Stack

PARTS, CONFIGURATIONS = 4, 50


@cache
def rules() -> Any:
    from cfnlint.core import get_rules

    return get_rules([], [], ["I", "W", "E"])


def findings(made: Iterable[Stack]) -> list[str]:
    from cfnlint.api import lint

    return [
        f"{stack.name} {'/'.join(map(str, match.path))}: {match.rule.id} {match.message}"
        for stack in made
        for match in lint(stack.body, rules(), ["eu-west-1"])
    ]


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_found_in_the_templates_of_this_repository(case: str) -> None:
    assert findings(stacks(pipeline(case))) == []


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_found_in_those_of_random_configurations(part: int, soak: bool) -> None:
    """In parts, so that they run side by side, each with its own examples. What the configuration does not refuse,
    cfn-lint does not either."""
    seen: set[str] = set()

    @settings(
        max_examples=CONFIGURATIONS * (10 if soak else 1),
        phases=[Phase.generate, Phase.shrink],
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(pipelines() | almost())
    def judge(table: dict[str, Any]) -> None:
        try:
            made = [stack for stack in stacks(parse(table)) if stack.body not in seen]
        except (InvalidConfiguration, EnvironmentTooLarge):
            return
        assert findings(made) == []
        seen.update(stack.body for stack in made)

    (judge if soak else seed(part)(judge))()
