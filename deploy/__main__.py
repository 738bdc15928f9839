"""``python -m deploy``: from ``pipeline.toml`` to templates, and from there to stacks.

Exit codes: 0 when all is well, 1 when ``lint`` found something, 2 when the configuration cannot be used; those of ``plan``,
``up``, ``status`` and ``down`` stand in ``deploy.commands``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy import commands as live
from deploy.config import InvalidConfiguration, Pipeline, Problem, load
from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from rich.console import Console

    from deploy.package import Package

OK, FOUND, UNUSABLE = 0, 1, 2
_PIPE_WIDTH = 10_000
"""Columns: what nobody looks at needs no wrapping, and a line is easier to find."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; answers its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser(_JsonParser if "--json" in words else _Parser)
    options, rest = parser.parse_known_args(words)
    if rest:
        parser.set_defaults(usage_error=getattr(options, "usage_error", None))
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except InvalidConfiguration as error:
        return _unusable(error, as_json=options.json)
    except ConfigurationError as error:
        return _unusable(InvalidConfiguration(str(options.config), [Problem("", str(error))]), as_json=options.json)
    except OSError as error:
        return _no_file(error, options)
    except KeyboardInterrupt:
        from deploy.commands import showing

        showing.interrupted(showing.command(options.command, options), as_json=options.json, alone=True)
        return live.INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """As argparse does it, but with the command's own exit code: 2 would mean that ``plan`` has found changes."""
        self.print_usage(sys.stderr)
        self.exit(self._code, f"{self.prog}: error: {message}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """A command, as nothing else here has choices: argparse proposes none, or (from Python 3.14 on) in other words."""
        if action.choices is not None and value not in action.choices:
            from deploy.config.problems import listed, nearest

            hint = nearest(value, action.choices) or ";"
            raise argparse.ArgumentError(
                None, f"there is no command {value!r}{hint} give one of {listed(action.choices)}"
            )

    @property
    def _code(self) -> int:
        return self.get_default("usage_error") or UNUSABLE


class _JsonParser(_Parser):
    def error(self, message: str) -> NoReturn:
        """For programs: they asked for JSON, whatever else was wrong."""
        _say(json.dumps({"error": "Usage", "message": message, "next": f"{self.prog} --help"}, ensure_ascii=False))
        self.exit(self._code)


def _endpoint(text: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is no address of an emulator, like http://127.0.0.1:4566")
    return text


def _parser(kind: type[_Parser]) -> argparse.ArgumentParser:
    parser = kind(prog="python -m deploy", description="From pipeline.toml to CloudFormation, and to AWS.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    shared = kind(add_help=False)
    shared.add_argument("--config", type=Path, default=Path("pipeline.toml"), help="the file (pipeline.toml)")
    shared.add_argument("--env", help="lay [env.NAME] over the rest", metavar="NAME")
    # The same options for every command. Those that ask nobody take no notice of it.
    shared.add_argument(
        "--endpoint-url", type=_endpoint, metavar="URL", help="an emulator in place of AWS: http://127.0.0.1:4566"
    )
    plain = kind(add_help=False)
    plain.add_argument("--json", action="store_true", help="JSON on standard output")

    synth = commands.add_parser("synth", parents=[shared, plain], help="write a template for each stack")
    synth.add_argument("--out", type=Path, default=Path("build/templates"), help="the folder (build/templates)")
    synth.set_defaults(run=_synth)
    commands.add_parser(
        "lint", parents=[shared, plain], help="find what AWS would take and you would regret"
    ).set_defaults(run=_lint)
    commands.add_parser(
        "cost", parents=[shared, plain], help="what it costs a month, and why it is there"
    ).set_defaults(run=_cost)
    package = commands.add_parser("package", parents=[shared, plain], help="make the functions' zips")
    package.add_argument("--out", type=Path, default=Path("build/packages"), help="the folder (build/packages)")
    package.add_argument("--consumer", action="append", metavar="NAME", help="only this one; may be repeated")
    package.add_argument("--layer", action="store_true", help="a layer of the dependencies, whatever the file says")
    package.set_defaults(run=_package)
    schema = commands.add_parser("schema", parents=[plain], help="a JSON Schema of pipeline.toml, for editors")
    schema.set_defaults(run=_schema)
    live.add(commands, [shared, plain])
    return parser


def _synth(options: argparse.Namespace) -> int:
    from deploy import output
    from deploy.synthesis import stacks

    made = stacks(load(options.config, options.env))
    listed = output.as_json(output.stacks_json(made, options.out))
    output.write_templates(made, listed, options.out)
    if options.json:
        _say(listed)
    else:
        output.show_stacks(_console(), made, options.out)
    return OK


def _lint(options: argparse.Namespace) -> int:
    from deploy import output
    from deploy.lint import lint
    from deploy.synthesis import stacks

    pipeline = load(options.config, options.env)
    findings = lint(pipeline, stacks(pipeline))
    if options.json:
        _say(output.as_json(output.findings_json(findings)))
    else:
        output.show_findings(_console(), findings)
    return FOUND if any(finding.accepted is None for finding in findings) else OK


def _cost(options: argparse.Namespace) -> int:
    from deploy import output
    from deploy.cost import costs

    found = costs(load(options.config, options.env))
    if options.json:
        _say(output.as_json(output.costs_json(found)))
    else:
        output.show_costs(_console(), found)
    return OK


def _package(options: argparse.Namespace) -> int:
    from deploy import output
    from deploy.package import packages

    pipeline = load(options.config, options.env)
    root = options.config.resolve().parent
    made: list[Package] = []
    for name in _chosen(pipeline, options.consumer):
        made += packages(pipeline, name, root=root, out=options.out, layered=options.layer)
    if options.json:
        _say(output.as_json(output.packages_json(made)))
    else:
        output.show_packages(_console(), made)
    return OK


def _chosen(pipeline: Pipeline, names: Sequence[str] | None) -> Sequence[str]:
    from deploy.config.problems import listed, nearest

    for name in names or ():
        if name not in pipeline.consumers:
            hint = nearest(name, pipeline.consumers) or ";"
            raise ConfigurationError(f"there is no consumer {name!r}{hint} this file has {listed(pipeline.consumers)}")
    return names or list(pipeline.consumers)


def _schema(options: argparse.Namespace) -> int:  # noqa: ARG001 - every command takes them
    from deploy import output
    from deploy.config.json_schema import json_schema

    _say(output.as_json(json_schema(Pipeline, title="pipeline.toml")))
    return OK


def _no_file(error: OSError, options: argparse.Namespace) -> int:
    """A file or folder that cannot be read or written."""
    from deploy import output

    where = str(error.filename or getattr(options, "out", ""))
    message = f"{where}: {error.strerror or error}" if where else str(error)
    if options.json:
        _say(output.as_json({"error": "FileError", "message": message}))
    else:
        sys.stderr.write(f"{message}\n")
    return options.usage_error if "usage_error" in options else UNUSABLE


def _unusable(error: InvalidConfiguration, *, as_json: bool) -> int:
    from deploy import output

    if as_json:
        _say(output.as_json(output.problems_json(error)))
    else:
        output.show_problems(_console(stderr=True), error)
    return UNUSABLE


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
