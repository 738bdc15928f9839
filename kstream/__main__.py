"""``python -m kstream``: the command line, where ``kstream`` itself is not on the path."""

from __future__ import annotations

from kstream.cli import main

main()
