"""LocalStack 4.14.0 on Python 3.11 and 3.12. It says that it supports them, and uses what 3.13 has.

Three things: type parameters (PEP 695), `Lock | None` where `Lock` is not a type before 3.13, and `warnings.deprecated`.
Its sources are rewritten once, when it is installed. They are pinned by hash, so what has to be rewritten is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CLASS = re.compile(r"^(?P<head> *class \w+)\[(?P<names>[^]]+)\](?:\((?P<bases>.*)\))?:$", re.MULTILINE)
_FUNCTION = re.compile(r"^(?P<head> *(?:async )?def \w+)\[(?P<names>[^]]+)\]\(", re.MULTILINE)
_ALIAS = re.compile(r"^type (\w+ = )", re.MULTILINE)
_LOCK = re.compile(r": Lock \| None\b")
_DEPRECATED = "from warnings import deprecated"
_FUTURE = "from __future__ import annotations\n"


def rewrite_package(package: Path) -> list[Path]:
    """Rewrite every module of a package that needs it, and return them."""
    rewritten = []
    for module in sorted(package.rglob("*.py")):
        source = module.read_text("utf-8")
        if (backported := rewrite(source)) != source:
            module.write_text(backported, "utf-8")
            rewritten.append(module)
    return rewritten


def rewrite(source: str) -> str:
    """The same module for Python 3.11. Nothing changes at run time but that type parameters are type variables."""
    names = dict.fromkeys(
        name.partition(":")[0].strip()
        for pattern in (_CLASS, _FUNCTION)
        for match in pattern.finditer(source)
        for name in match["names"].split(",")
    )
    source = _CLASS.sub(_generic, source)
    source = _FUNCTION.sub(r"\g<head>(", source)
    source = _ALIAS.sub(r"\1", source)
    source = _LOCK.sub(': "Lock | None"', source)
    source = source.replace(_DEPRECATED, "from typing_extensions import deprecated")
    if not names:
        return source
    variables = "from typing import Generic, TypeVar\n" + "".join(f'{name} = TypeVar("{name}")\n' for name in names)
    before, future, after = source.rpartition(_FUTURE)
    return before + future + variables + after


def _generic(match: re.Match[str]) -> str:
    names = ", ".join(name.partition(":")[0].strip() for name in match["names"].split(","))
    bases = f"{match['bases']}, " if match["bases"] else ""
    return f"{match['head']}({bases}Generic[{names}]):"
