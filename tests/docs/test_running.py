"""What runs the pages notices what is wrong with one: otherwise its silence would mean nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import Page
from tests.docs.running import PageRun, hold_against_project

if TYPE_CHECKING:
    from pathlib import Path

WRONG = {
    "code that raises": "```python\nfine = 1\n\nraise ValueError('this line')\n```\n",
    "a name of another page": "```python\nprint(undefined)\n```\n",
    "an output that differs": "```python\nprint(1)\n```\n\n```output\n2\n```\n",
    "an output that is not all": "```python\nprint(1)\nprint(2)\n```\n\n```output\n1\n```\n",
    "an output of nothing": "```output\n2\n```\n",
    "a command that fails": "```sh\ntrue\nfalse\n```\n",
    "a session that differs": "```console\n$ echo one\ntwo\n```\n",
    "a file that nobody uses": "```python file=lonely.py\nx = 1\n```\n\n```python\nprint(2)\n```\n",
    "a file that is no Python": "```python file=broken.py\ndef\n```\n\n```sh\ncat broken.py\n```\n",
    "a target that is not there": "```sh\nmake coffee\n```\n",
    "an extra that is not there": "```sh\npip install 'kstream[everything]'\n```\n",
    "JSON that is none": "```json\n{'a': 1}\n```\n",
    "a command in a picture": "```text\n$ rm -rf .\n```\n",
    "a language that nobody runs": "```ruby\nputs 1\n```\n",
    "a pipeline's words without one": "```output from=dev\nhello\n```\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_a_page_with_a_mistake_fails(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{text}")
    with pytest.raises((AssertionError, ValueError, SyntaxError)), PageRun(Page(str(page)), tmp_path) as run:
        run.run()


def test_a_failure_names_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{WRONG['code that raises']}")
    with (
        pytest.raises(AssertionError, match=r"line 6, in <module>\n.*this line") as failure,
        PageRun(Page(str(page)), tmp_path) as run,
    ):
        run.run()
    assert failure.value.__notes__ == [f"in {page}, line 4"]


def test_what_is_held_against_the_project() -> None:
    hold_against_project("make demo")
    hold_against_project("pip install './kstream[local,postgres]'")
    hold_against_project(". .venv/bin/activate")
