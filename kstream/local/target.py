"""What a command line may name a consumer by, and where its imports are looked for.

consumers/order_totals.py          the only consumer in the file
consumers/order_totals.py:totals   the one of that name
consumers/flights                  the folder's consumer.py, or else the package itself
shop.consumers.order_totals        a module that can be imported
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kstream.core.errors import ConfigurationError

_PROJECT_MARKS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_IN_FOLDER = ("consumer.py", "__init__.py")


@dataclass(frozen=True, slots=True)
class Target:
    """A consumer's module, and which one in it. Either ``file`` or ``module`` is given.

    ``file``       absolute.
    ``module``     its dotted name; "" if a file is given.
    ``attribute``  its name in the module; None for the only one.
    """

    file: Path | None
    module: str
    attribute: str | None

    @property
    def project(self) -> Path:
        """The nearest directory above with a pyproject.toml or a .git; else the current one, or the file's own."""
        start, current = self.file.parent if self.file else Path.cwd(), Path.cwd()
        for candidate in (start, *start.parents):
            if any((candidate / mark).exists() for mark in _PROJECT_MARKS):
                return candidate
        return current if start.is_relative_to(current) else start

    @property
    def package(self) -> tuple[Path, str]:
        """For a file: the directory that its outermost package lies in, and the module's dotted name from there."""
        assert self.file is not None
        parts = [] if self.file.name == "__init__.py" else [self.file.stem]
        directory = self.file.parent
        while (directory / "__init__.py").is_file() and directory.name.isidentifier():
            parts.insert(0, directory.name)
            directory = directory.parent
        return directory, ".".join(parts) or self.file.parent.name

    def __str__(self) -> str:
        """As a person would name the module: relative to where they are, if it lies there."""
        if self.file is None:
            return self.module
        current = Path.cwd()
        return str(self.file.relative_to(current)) if self.file.is_relative_to(current) else str(self.file)


def target_of(text: str) -> Target:
    """Reads what was given, from the current directory. Raises ``ConfigurationError`` if there is no such file."""
    path, _, attribute = text.partition(":")
    wanted = attribute or None
    if not path:
        raise ConfigurationError(f"{text!r} names no consumer: give a file such as consumers/order_totals.py")
    place = Path(path)
    if place.is_dir():
        for name in _IN_FOLDER:
            if (place / name).is_file():
                return Target((place / name).resolve(), "", wanted)
        raise ConfigurationError(f"the folder {path} has neither consumer.py nor __init__.py: name the file itself")
    if place.is_file():
        if place.suffix != ".py":
            raise ConfigurationError(f"{path} is not a Python file: name one that ends in .py")
        return Target(place.resolve(), "", wanted)
    if path.endswith(".py") or "/" in path or not all(part.isidentifier() for part in path.split(".")):
        raise ConfigurationError(f"there is no file {path} in {Path.cwd()}: check the path")
    return Target(None, path, wanted)
