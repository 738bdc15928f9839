"""An option of ``kstream consume`` that is given to ``kstream dev`` itself: where it belongs is told."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from kstream.cli.failures import told_plainly
from kstream.cli.plain_help import PlainCommand
from kstream.core.errors import ConfigurationError


class DevCommand(PlainCommand):
    """``kstream dev``. Without this, such an option would be none at all, and another one be proposed."""

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
        return super().parse_args(ctx, args)


def _options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
