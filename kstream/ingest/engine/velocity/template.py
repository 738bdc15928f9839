"""A template: parsed by airspeed-ext, the Velocity engine of LocalStack (BSD), compiled here.

airspeed can run what it parses, but takes about as long for one record as a whole request should; so its syntax tree is
compiled once into closures. Both must write the same: tests/unit/ingest/engine/test_template.py lets airspeed itself run
every template beside this. Of Velocity there is what the templates of the ingest API use; anything else is refused when
the template is loaded, never guessed at.

Where airspeed and Velocity differ, this keeps to Velocity 1.7, which API Gateway's templates are written for: a
reference is true unless it is null or false, ``&&`` and ``||`` stop at the first answer, ``#set`` of null changes
nothing, a variable set in a loop lives on, and a loop ends after 1,000 turns (quotas of REST APIs, "#foreach").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.ingest.engine.velocity.errors import TemplateError
from kstream.ingest.engine.velocity.statements import statement

if TYPE_CHECKING:
    from collections.abc import Mapping


class Template:
    """Thread-safe once made. Raises ``TemplateError`` for what it cannot run."""

    def __init__(self, text: str, *, name: str = "template") -> None:
        from airspeed.operators import TemplateBody, TemplateSyntaxError

        self._name = name
        try:
            self._run = statement(TemplateBody(name, text).block)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{name} is no Velocity template: {error}") from error
        except TemplateError as error:
            raise TemplateError(f"{name}: {error}") from None

    def render(self, variables: Mapping[str, Any]) -> str:
        """The text it writes. What it sets within an object of ``variables`` (``$context.responseOverride``) stays."""
        written: list[str] = []
        try:
            self._run(dict(variables), written.append)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            # A template that Amazon's engine would fail on as well: what it asked for is not there, or of another kind.
            raise TemplateError(f"{self._name} failed: {type(error).__name__}: {error}") from error
        return "".join(written)
