"""Runs a page's Python in a process of its own: one JSON object a line in, one out; all of it shares a namespace."""

from __future__ import annotations

import io
import json
import sys
import traceback
from contextlib import redirect_stdout
from typing import Any


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    namespace: dict[str, Any] = {"__name__": "docs"}
    sys.path.insert(0, "")
    for line in sys.stdin:
        block = json.loads(line)
        printed, problem = io.StringIO(), None
        try:
            # Empty lines in front, so that a traceback names the page's own line.
            code = compile("\n" * (block["line"] - 1) + block["text"], block["page"], "exec")
            with redirect_stdout(printed):
                exec(code, namespace)
        except BaseException:
            problem = traceback.format_exc()
        answers.write(json.dumps({"printed": printed.getvalue(), "problem": problem}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
