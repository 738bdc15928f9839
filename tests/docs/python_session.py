"""Runs a page's Python in a process of its own: one JSON object a line in, one out; all of it shares a namespace."""

from __future__ import annotations

import io
import json
import sys
import traceback
from typing import Any


def main() -> None:
    # One for the whole page: a log handler made in one block writes to what it then was.
    answers, printed = sys.stdout, io.StringIO()
    sys.stdout = printed
    namespace: dict[str, Any] = {"__name__": "docs"}
    sys.path.insert(0, "")
    for line in sys.stdin:
        block = json.loads(line)
        problem = None
        try:
            # Empty lines in front, so that a traceback names the page's own line.
            code = compile("\n" * (block["line"] - 1) + block["text"], block["page"], "exec")
            exec(code, namespace)
        except BaseException:
            problem = traceback.format_exc()
        answers.write(json.dumps({"printed": printed.getvalue(), "problem": problem}) + "\n")
        answers.flush()
        printed.seek(0)
        printed.truncate()


if __name__ == "__main__":
    main()
