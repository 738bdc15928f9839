"""The pages of the documentation, and what they hold: code blocks and links.

The language of a block says what is done with it; ``running`` does it. Beside it stand ``file=NAME``, which makes it
that file's content, and ``from=dev`` for what the page's ``kstream dev`` has printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = {"python", "sh", "console", "output", "json", "toml", "text"}

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block. ``line`` is the one of its first line of text, from 1."""

    language: str
    options: dict[str, str]
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """A Markdown file. ``name`` is its path from the root of the repository."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[Block]:
        text = self.text
        found = []
        for match in _FENCE.finditer(text):
            language, *options = match["info"].split() or [""]
            line = text.count("\n", 0, match.start()) + 2
            found.append(Block(language, dict(option.split("=", 1) for option in options), match["text"], line))
        return found

    @property
    def prose(self) -> str:
        """The page without its blocks."""
        return _FENCE.sub("", self.text)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """The headings as GitHub names them."""
        return {
            re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
            for heading in _HEADING.findall(self.prose)
        }

    def section(self, heading: str) -> str:
        """From this heading to the next one of its level. Raises ``LookupError`` if there is none."""
        match = re.search(rf"^(#+) +{re.escape(heading)} *$", self.text, re.MULTILINE)
        if match is None:
            raise LookupError(f"{self.name} has no heading {heading!r}")
        rest = self.text[match.end() :]
        end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
        return rest[: end.start()] if end else rest

    def __str__(self) -> str:
        return self.name


def pages() -> list[Page]:
    """Every page whose blocks must work."""
    files = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [Page(str(file.relative_to(ROOT))) for file in files]


def first_cells(table: str) -> list[str]:
    """What stands in backticks in the first column of the tables in ``table``."""
    return [
        name
        for line in table.splitlines()
        if line.startswith("|")
        for name in re.findall(r"`([^`]+)`", re.split(r"(?<!\\)\|", line)[1])
    ]
