"""Help that names an argument by what it is: Typer would add the Python type that it is read as."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class PlainCommand(TyperCommand):
    """Options have their own word for that, their ``metavar``; arguments have none (Typer 0.29)."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for parameter in self.params:
            if parameter.param_type_name == "argument":
                vars(parameter)["display_type_rich"] = _nothing


def _nothing(ctx: object) -> None:
    del ctx
