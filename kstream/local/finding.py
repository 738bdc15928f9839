"""Which consumer is meant when none is named: the only one in ``consumers/``."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.local.target import target_of

if TYPE_CHECKING:
    from kstream.local.target import Target

_FOLDER = "consumers"
_EXAMPLE = {"hello": "world"}


def only_consumer() -> str:
    """Its path. Raises ``ConfigurationError``, listing what there is, if there is none or more than one."""
    folder = Path(_FOLDER)
    if not folder.is_dir():
        raise ConfigurationError(
            f"name a consumer, as in kstream dev {_FOLDER}/yours.py: there is no folder {_FOLDER} in {Path.cwd()}"
        )
    found = sorted(str(path) for path in folder.iterdir() if _may_be_consumer(path))
    if not found:
        raise ConfigurationError(f"there is no Python file in {_FOLDER}/: write a consumer, or name one elsewhere")
    if len(found) > 1:
        raise ConfigurationError(f"{_FOLDER}/ holds several consumers: name one of {', '.join(found)}")
    return found[0]


def _may_be_consumer(path: Path) -> bool:
    if path.name.startswith(("_", ".")):
        return False
    return path.suffix == ".py" if path.is_file() else (path / "consumer.py").is_file()


def stream_name_for(target: Target) -> str:
    """A stream's name after the consumer's module: ``order-totals`` for ``consumers/order_totals.py``."""
    if target.file is None:
        last = target.module.rpartition(".")[2]
    elif target.file.name in ("consumer.py", "__init__.py"):
        last = target.file.parent.name
    else:
        last = target.file.stem
    return last.replace("_", "-") or "records"


def watched_folder(target: Target) -> tuple[Path, bool]:
    """The folder whose Python files the consumer is made of, and whether its sub-folders belong to them.

    A project's own directory also holds environments and state, so of it only the files at the top are watched.
    """
    file = target.file or Path(*target.module.split(".")).resolve().with_suffix(".py")
    folder = file.parent if file.parent.is_dir() else Path.cwd()
    return folder, folder not in (target.project, Path.cwd(), Path.home())


def example_record(target: Target) -> str:
    """A payload to try the consumer with: the first JSON object that is a line of its module's docstring, or any."""
    if target.file is not None:
        try:
            docstring = ast.get_docstring(ast.parse(target.file.read_bytes())) or ""
        except (OSError, SyntaxError, ValueError):
            docstring = ""
        for line in docstring.splitlines():
            if line.strip().startswith("{"):
                try:
                    json.loads(line)
                except ValueError:
                    continue
                return line.strip()
    return json.dumps(_EXAMPLE)


def existing_target(path: str | None) -> tuple[str, Target]:
    """What was named, or the only consumer; checked to be there. Raises ``ConfigurationError``."""
    path = path or only_consumer()
    return path, target_of(path)
