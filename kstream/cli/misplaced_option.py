"""Options of ``kstream consume`` that are given to ``kstream dev``: what is wrong with them is told before it starts."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from kstream.cli.failures import told_plainly
from kstream.cli.plain_help import PlainCommand
from kstream.core.errors import ConfigurationError


class DevCommand(PlainCommand):
    """``kstream dev``. Without this, an option in front of ``--`` would be none at all, and another one be proposed; and
    one behind it that is none would end the consumer again and again, whatever becomes of its file."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        consume = ctx.parent.command.get_command(ctx.parent, "consume")
        misplaced = _options(consume) - _options(self)
        for argument in takewhile(lambda argument: argument != "--", args):
            name = argument.partition("=")[0]
            if name in misplaced:
                with told_plainly(debug=False):
                    raise ConfigurationError(
                        f"{name} is an option of kstream consume: give it after --, as in kstream dev "
                        f"consumers/yours.py -- {name}"
                    )
        rest = super().parse_args(ctx, args)
        self._read_options_behind(ctx, consume)
        return rest

    def _read_options_behind(self, ctx: Any, consume: Any) -> None:
        """Without a PATH, the first of them stands in its place: it is put back among them."""
        path, behind = ctx.params["path"], ctx.params["consume_options"] or []
        if path is not None and path.startswith("-"):
            path, behind = None, [path, *behind]
        ctx.params |= {"path": path, "consume_options": behind}
        consume.make_context("consume", [path or "consumers", *behind], parent=ctx.parent)


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
