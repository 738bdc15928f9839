"""Does what a page says, from its top to its end, as its reader would.

``python``    run; the blocks of a page share a namespace. With ``file=NAME``: written, for a later block to use.
``sh``        run, line by line. A ``kstream dev`` goes on until the next one or the page's end, and must then end well.
``console``   the lines after ``$`` are run, and what they print is compared with what is shown.
``output``    what the block before printed; with ``from=dev``, what ``kstream dev`` prints sooner or later.
``json``      parsed; with ``file=NAME`` written, and parsed line by line if the name says so. ``toml`` likewise.
``text``      a picture, which nothing can check.

In what is shown, ``...`` stands for anything. The address that the documentation gives, port 8080, is exchanged for
that of the pipeline which the page started on a free port.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.docs.not_run import CHECKED_OTHERWISE, NOT_RUN
from tests.docs.pages import ROOT
from tests.support.commands import Running
from tests.support.processes import within_a_minute

if TYPE_CHECKING:
    from types import TracebackType

    from tests.docs.pages import Block, Page

_DOCUMENTED = "http://127.0.0.1:8080"
_SESSION = Path(__file__).with_name("python_session.py")
_CURL = Path(__file__).with_name("curl.py")
# A small Debian image has no curl.
_BEFORE = "" if shutil.which("curl") else f'curl() {{ {shlex.join([sys.executable, str(_CURL)])} "$@"; }}\n'


class PageRun:
    """A context manager: one page, in the empty directory ``cwd``."""

    def __init__(self, page: Page, cwd: Path) -> None:
        self._page = page
        self._cwd = cwd
        self._stack = ExitStack()
        self._dev: Running | None = None
        self._address = _DOCUMENTED
        self._printed: str | None = None
        self._session: subprocess.Popen[str] | None = None
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self._environment = ours | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if self._session is not None and self._session.stdin:
                self._session.stdin.close()
                self._session.wait(120)
            if self._dev is not None and error is None:
                self._end_dev(self._dev)

    def run(self) -> None:
        blocks = self._page.blocks
        for number, block in enumerate(blocks):
            try:
                self._block(block, blocks[number + 1 :])
            except (AssertionError, subprocess.TimeoutExpired) as error:
                error.add_note(f"in {self._page.name}, line {block.line}")
                raise

    def _block(self, block: Block, later: list[Block]) -> None:
        if name := block.options.get("file"):
            assert any(Path(name).stem in other.text for other in later), f"nothing on the page uses {name}"
            file = self._cwd / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._here(block.text), encoding="utf-8")
        match block.language:
            case "python":
                self._printed = None
                if name:
                    compile(block.text, name, "exec")
                else:
                    self._printed = self._python(block)
            case "sh":
                self._printed = "".join(self._command(command) for command in commands(block.text))
            case "console":
                for command, shown in transcript(block.text):
                    printed = self._command(command)  # first, because it may be what tells the address
                    assert_shown(self._here(shown), printed)
            case "output" if block.options.get("from") == "dev":
                self._wait_for(self._here(block.text))
            case "output":
                assert self._printed is not None, "an output that nothing printed"
                assert_shown(self._here(block.text), self._printed)
            case "json":
                for text in block.text.splitlines() if name and name.endswith("l") else [block.text]:
                    json.loads(text)
            case "toml":
                tomllib.loads(block.text)
            case "text":
                assert "$ " not in block.text, "commands belong into a block that is run"
            case other:
                raise AssertionError(f"nobody runs blocks of {other!r}")

    def _here(self, text: str) -> str:
        return text.replace(_DOCUMENTED, self._address)

    def _python(self, block: Block) -> str:
        if self._session is None:
            self._session = self._stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(_SESSION)],
                    cwd=self._cwd,
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        assert self._session.stdin
        assert self._session.stdout
        request = {"page": self._page.name, "line": block.line, "text": self._here(block.text)}
        self._session.stdin.write(json.dumps(request) + "\n")
        self._session.stdin.flush()
        answer = json.loads(self._session.stdout.readline() or '{"problem": "its process ended"}')
        assert answer["problem"] is None, answer["problem"]
        printed: str = answer["printed"]
        return printed

    def _command(self, command: str) -> str:
        """What it printed, on standard output and error."""
        if command in NOT_RUN:
            return ""
        if any(command.startswith(beginning) for beginning in CHECKED_OTHERWISE):
            hold_against_project(command)
            return ""
        if command.startswith("kstream dev"):
            return self._start(shlex.split(command)[2:])
        done = subprocess.run(
            ["bash", "-c", _BEFORE + self._here(command)],
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=240,
            check=False,
        )
        printed = done.stdout.decode()
        assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{printed}"
        return printed

    def _start(self, arguments: list[str]) -> str:
        if self._dev is not None:
            # As its reader would: Ctrl-C first.
            self._end_dev(self._dev)
        self._dev = self._stack.enter_context(Running("dev", "--port", "0", *arguments, cwd=self._cwd))
        self._dev.wait_for(" reads stream ")
        told: dict[str, Any] = json.loads((self._cwd / ".kstream" / "dev.json").read_text())
        self._address = told["ingest_url"]
        self._dev.wait_for("\n", times=self._dev.said.count("\n"))
        return self._dev.said

    def _end_dev(self, dev: Running) -> None:
        assert dev.interrupt() == 0, dev.said
        assert "Stopped. Everything is kept" in dev.said

    def _wait_for(self, shown: str) -> None:
        dev = self._dev
        assert dev is not None, "the page has started no kstream dev"
        lines = [line for line in shown.splitlines() if line.strip()]
        assert within_a_minute(lambda: in_order(lines, dev.said)), f"it never said\n{shown}\nIt said\n{dev.said}"


def commands(text: str) -> list[str]:
    """The commands of a shell block: its lines, those that end in a backslash joined, comments left out."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [re.sub(r"\s+#.*$", "", line).strip() for line in joined.splitlines() if line.strip() and line[0] != "#"]


def transcript(text: str) -> list[tuple[str, str]]:
    """The commands of a session, each with what it is shown to print."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].strip(), ""))
        else:
            assert found, "a session begins with a command"
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def assert_shown(shown: str, printed: str) -> None:
    """That what is shown is what was printed; ``...`` is anything, and whole lines too."""
    assert pattern(_bare(shown)).fullmatch(_bare(printed)), f"shown:\n{shown}\nprinted:\n{printed}"


def _bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def in_order(lines: list[str], printed: str) -> bool:
    """Whether these lines were printed in this order, others between them."""
    rest = iter(printed.splitlines())
    return all(any(pattern(line).fullmatch(said.rstrip()) for said in rest) for line in lines)


def pattern(shown: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in shown.split("...")), re.DOTALL)


def hold_against_project(command: str) -> None:
    """Checks what is not run against the files that say what it would do."""
    words = shlex.split(command)
    makefile = (ROOT / "Makefile").read_text()
    if words[0] == "make":
        for target in [word for word in words[1:] if "=" not in word]:
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"the Makefile has no target {target}"
    elif words[0] == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for named in re.findall(r"\[([\w,]+)\]", command):
            assert set(named.split(",")) <= extras.keys(), f"pyproject.toml has no extra {named}"
    else:
        assert re.search(r"^VENV \?= \.venv$", makefile, re.MULTILINE)
