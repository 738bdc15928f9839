"""What the documentation shows works: its code runs, prints what it is said to print, and its links lead somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.not_run import NOT_RUN
from tests.docs.pages import LANGUAGES, ROOT, Page, pages
from tests.docs.running import PageRun, assert_shown, commands, in_order, transcript

if TYPE_CHECKING:
    from pathlib import Path

PAGES = pages()


@pytest.mark.integration
@pytest.mark.parametrize("page", [page for page in PAGES if page.blocks], ids=str)
def test_every_block_of_a_page_works(page: Page, tmp_path: Path) -> None:
    with PageRun(page, tmp_path) as run:
        run.run()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_says_what_it_is(page: Page) -> None:
    """A block of an unknown language would be a block that nobody runs."""
    assert [block.line for block in page.blocks if block.language not in LANGUAGES] == []
    assert page.text.count("\n```") + page.text.startswith("```") == 2 * len(page.blocks), "a fence is not closed"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Page) -> None:
    broken = []
    for link in page.links:
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        if not (target.exists() and target.is_relative_to(ROOT) and has(target, anchor)):
            broken.append(link)
    assert broken == []


def has(target: Path, anchor: str) -> bool:
    return not anchor or anchor in Page(str(target.relative_to(ROOT))).anchors


def test_what_is_not_run_is_shown_somewhere_and_little() -> None:
    """Nothing is left unrun in silence: the list names what is, it is short, and it holds nothing else."""
    shown = {
        command
        for page in PAGES
        for block in page.blocks
        if block.language in ("sh", "console")
        for command in (commands(block.text) if block.language == "sh" else [c for c, _ in transcript(block.text)])
    }
    assert NOT_RUN.keys() <= shown
    assert len(NOT_RUN) <= 5
    assert all(NOT_RUN.values())


def test_every_page_can_be_found() -> None:
    """From the index, each page in docs/ but the index itself."""
    index = Page("docs/README.md")
    linked = {(index.path.parent / link.partition("#")[0]).resolve() for link in index.links}
    folders = {target for target in linked if target.is_dir()}
    pages = {page.path for page in PAGES if page.name.startswith("docs/") and page != index}
    assert [page for page in sorted(pages) if page not in linked and page.parent not in folders] == []


def test_what_is_shown_must_be_what_was_printed() -> None:
    assert_shown("a ... c\n", "a b\nb c\n")
    with pytest.raises(AssertionError):
        assert_shown("a\n", "a\nb\n")
    assert in_order(["a", "c ..."], "a\nb\nc 1\n")
    assert not in_order(["c ...", "a"], "a\nb\nc 1\n")


def test_a_shell_block_is_its_commands() -> None:
    assert commands("# what for\nmake demo   # slow\ncurl -d x \\\n    http://h\n\n") == [
        "make demo",
        "curl -d x http://h",
    ]
    assert transcript("$ a\n1\n2\n$ b\n") == [("a", "1\n2\n"), ("b", "")]
