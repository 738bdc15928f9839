"""A consumer from the module that its author wrote.

What goes on ``sys.path``, in front: the directory above the outermost package of a file, so that it imports what its
package can import; for a file outside any package its own directory, as when Python runs it; then the project's
directory, and the current one if the file lies in it, so that the project's other modules are found.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kstream.core.consumer import Consumer
from kstream.core.errors import ConfigurationError
from kstream.local.import_errors import import_error
from kstream.runtimes.aws_lambda import LambdaHandler, on_lambda

if TYPE_CHECKING:
    from types import ModuleType

    from kstream.local.target import Target


def load(target: Target) -> LambdaHandler:
    """The consumer as a Lambda handler: the module's own ``on_lambda`` object if it has one, else a new one.

    Raises ``ConfigurationError`` if the module does not import (with the line of it that fails), holds no consumer, or
    holds several and none is named.
    """
    module = _import(target)
    if target.attribute is not None:
        return _as_handler(target, target.attribute, getattr(module, target.attribute, None))
    found = {name: value for name, value in vars(module).items() if isinstance(value, LambdaHandler | Consumer)}
    # A consumer and the handler made of it are one: two of the same name would share one ledger anyway.
    covered = {value.consumer.name for value in found.values() if isinstance(value, LambdaHandler)}
    candidates = {
        name: value for name, value in found.items() if not (isinstance(value, Consumer) and value.name in covered)
    }
    if not candidates:
        raise ConfigurationError(f"there is no Consumer in {target}: add one, as in consumer = Consumer(YourHandler)")
    first = min(candidates)
    if len({id(value) for value in candidates.values()}) > 1:
        names = ", ".join(sorted(candidates))
        raise ConfigurationError(f"{target} holds several consumers ({names}): name one, as in {target}:{first}")
    return _as_handler(target, first, candidates[first])


def _as_handler(target: Target, name: str, value: object) -> LambdaHandler:
    if isinstance(value, LambdaHandler):
        return value
    if isinstance(value, Consumer):
        return on_lambda(value)
    if value is None:
        raise ConfigurationError(f"there is no {name} in {target}: check the name after the colon")
    raise ConfigurationError(
        f"{name} in {target} is {type(value).__name__}, not a Consumer: wrap it, as in consumer = Consumer({name})"
    )


def _import(target: Target) -> ModuleType:
    try:
        if target.file is None:
            _put_on_path(target.project, Path.cwd())
            return importlib.import_module(target.module)
        root, name = target.package
        current = Path.cwd()
        _put_on_path(*([current] if root.is_relative_to(current) else []), target.project, root)
        return _import_file(target.file, name)
    except (Exception, SystemExit) as error:
        # The module's own code may raise anything.
        raise import_error(str(target), error) from error


def _import_file(file: Path, name: str) -> ModuleType:
    """From this very file, whatever else bears its name."""
    parent, _, _ = name.rpartition(".")
    if parent:
        importlib.import_module(parent)
    inside = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _put_on_path(*directories: Path) -> None:
    """The last one first. What stands there already keeps its place."""
    for directory in directories:
        if str(directory) not in sys.path:
            sys.path.insert(0, str(directory))
