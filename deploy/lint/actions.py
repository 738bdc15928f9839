"""Rule about the names of IAM's actions: one that does not exist is allowed by IAM, and allows nothing.

``iam_actions.txt`` has the actions of the services that consumers mostly call, and the names of all others, as the Service
Authorization Reference lists them. Actions of the others are not looked at.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.config.problems import nearest
from deploy.lint.finding import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploy.lint.finding import Subject

_FILE = Path(__file__).with_name("iam_actions.txt")


@cache
def known() -> Mapping[str, tuple[str, ...]]:
    """Actions by service; none of a service whose actions are not looked at."""
    lines = [line for line in _FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found: dict[str, tuple[str, ...]] = {}
    service = ""
    for line in lines:
        if not line.startswith(" "):
            service, _, line = line.partition(":")
        names = tuple(line.split())
        found |= {service: (*found.get(service, ()), *names)} if service else dict.fromkeys(names, ())
    return found


def unknown_action(subject: Subject) -> Iterator[Remark]:
    for name, consumer in subject.pipeline.consumers.items():
        for number, use in enumerate(consumer.uses):
            for action in use.actions:
                if (wrong := _wrong(action)) is not None:
                    yield Remark(
                        name,
                        f"consumers.{name}.uses[{number}].actions",
                        f"has {action}, which IAM does not know, so it allows nothing{wrong}",
                    )


def _wrong(action: str) -> str | None:
    """The rest of the sentence, which may be empty; None if nothing is wrong with it. IAM tells no capitals from small
    letters."""
    service, _, what = action.partition(":")
    if service not in known():
        return f": there is no service {service!r}{nearest(service, known())}"
    names = known()[service]
    if not names or what.casefold() in map(str.casefold, names):
        return None
    return nearest(what, names).replace("mean '", f"mean '{service}:")
