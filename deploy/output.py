"""What the commands say: to people on a terminal, or as JSON to programs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Column, Table
from rich.tree import Tree

from deploy import cost
from deploy.stacks import ArtifactOf, OutputOf, PrefixListOf
from deploy.template import BODY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from deploy.config import InvalidConfiguration
    from deploy.cost import Cost
    from deploy.lint import Finding
    from deploy.package import Package
    from deploy.stacks import Parameter, Stack

# CloudFormation's own rule, so that no other file is meant.
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_COLOURS = {"error": "red", "warning": "yellow"}


def parameter(value: Parameter) -> Any:
    """A parameter's value, or where it is found."""
    if isinstance(value, OutputOf):
        return {"output": value.output, "of": value.stack}
    if isinstance(value, PrefixListOf):
        return {"prefixListOf": value.service}
    if isinstance(value, ArtifactOf):
        return {"package": value.part, "of": value.consumer}
    return value


def stacks_json(stacks: Sequence[Stack], out: Path) -> list[dict[str, Any]]:
    """What ``synth`` wrote, in the order of deployment."""
    return [
        {
            "name": stack.name,
            "role": stack.role,
            "file": str(out / f"{stack.name}.json"),
            "bytes": stack.size,
            "resources": len(stack.template["Resources"]),
            "parameters": {name: parameter(value) for name, value in stack.parameters.items()},
            "dependencies": list(stack.dependencies),
            "capabilities": list(stack.capabilities),
            "tags": dict(stack.tags),
        }
        for stack in stacks
    ]


def write_templates(stacks: Sequence[Stack], listed: str, out: Path) -> None:
    """A file for each stack, and ``stacks.json``: what they are called and need, for whoever deploys them by other means.

    What the ``stacks.json`` before listed and is not among them any more is taken away. Other files stay.
    """
    out.mkdir(parents=True, exist_ok=True)
    index = out / "stacks.json"
    for name in _listed_before(index) - {stack.name for stack in stacks}:
        (out / f"{name}.json").unlink(missing_ok=True)
    for stack in stacks:
        (out / f"{stack.name}.json").write_text(stack.body, encoding="utf-8")
    index.write_text(f"{listed}\n", encoding="utf-8")


def _listed_before(index: Path) -> set[str]:
    """Names of stacks; none if nobody can tell."""
    try:
        found = json.loads(index.read_text(encoding="utf-8"))
        names = {one["name"] for one in found}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if isinstance(name, str) and _STACK_NAME.fullmatch(name)}


def show_stacks(console: Console, stacks: Sequence[Stack], out: Path) -> None:
    tree = Tree(f"[bold]{len(stacks)} stacks[/bold] in {escape(str(out))}, in the order of deployment")
    for stack in stacks:
        large = " [yellow](goes through a bucket)[/yellow]" if stack.size > BODY_LIMIT else ""
        after = f", after {', '.join(stack.dependencies)}" if stack.dependencies else ""
        branch = tree.add(f"[bold]{stack.name}[/bold]  {stack.size:,} bytes{large}[dim]{after}[/dim]")
        kinds: dict[str, list[str]] = {}
        for logical_id, resource in stack.template["Resources"].items():
            kinds.setdefault(resource["Type"].removeprefix("AWS::"), []).append(logical_id)
        for kind, ids in sorted(kinds.items()):
            branch.add(f"{kind}  [dim]{', '.join(ids)}[/dim]")
    console.print(tree)


def whole(header: str) -> Column:
    """A column of a table whose names are never cut, however narrow the terminal: they go on in the next line."""
    return Column(header, overflow="fold")


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {
            "rule": finding.rule.id,
            "severity": finding.rule.severity,
            "path": finding.remark.path,
            "message": finding.remark.message,
            "page": finding.rule.anchor,
            "accepted": finding.accepted,
        }
        for finding in findings
    ]


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    for finding in findings:
        rule, remark = finding.rule, finding.remark
        colour = "dim" if finding.accepted is not None else _COLOURS[rule.severity]
        console.print(f"[{colour}]{rule.id} {rule.severity}[/] [bold]{escape(remark.path)}[/bold]", soft_wrap=True)
        console.print(f"  {escape(remark.message)}", soft_wrap=True)
        if finding.accepted is not None:
            console.print(f"  [dim]accepted: {escape(finding.accepted)}[/dim]", soft_wrap=True)
        else:
            console.print(f"  [dim]{rule.anchor}[/dim]", soft_wrap=True)
    open_ = sum(finding.accepted is None for finding in findings)
    accepted = len(findings) - open_
    also = f", {accepted} accepted" if accepted else ""
    console.print(f"[green]Nothing found[/green]{also}." if not open_ else f"[bold]{open_} found[/bold]{also}.")


def costs_json(found: Sequence[Cost]) -> dict[str, Any]:
    return {
        "currency": "USD",
        "region": cost.REGION,
        "compared": cost.CHECKED,
        "monthlyAtRest": round(cost.total(list(found)), 2),
        "items": [asdict(one) for one in found],
    }


def show_costs(console: Console, found: Sequence[Cost]) -> None:
    table = Table(whole(""), "USD a month", "why", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for one in found:
        number = "by use" if one.monthly is None else "free" if one.monthly == 0 else f"{one.monthly:,.2f}"
        table.add_row(escape(one.what), number, f"[dim]{escape(one.why)}[/dim]")
    table.add_row("[bold]At rest[/bold]", f"[bold]{cost.total(list(found)):,.2f}[/bold]", "")
    console.print(table)
    console.print(f"[dim]{cost.basis()}[/dim]")


def packages_json(packages: Sequence[Package]) -> list[dict[str, Any]]:
    return [
        {
            "name": package.name,
            "file": str(package.path),
            "key": package.key,
            "digest": package.digest,
            "zipped": package.zipped,
            "unzipped": package.unzipped,
            "largest": dict(package.largest),
        }
        for package in packages
    ]


def show_packages(console: Console, packages: Sequence[Package]) -> None:
    table = Table(whole("package"), "bytes", "unpacked", "most of it", box=None, pad_edge=False)
    for package in packages:
        parts = ", ".join(f"{name} {size:,}" for name, size in package.largest[:3])
        table.add_row(escape(str(package.path)), f"{package.zipped:,}", f"{package.unzipped:,}", f"[dim]{parts}[/dim]")
    console.print(table)


def show_problems(console: Console, error: InvalidConfiguration) -> None:
    console.print(f"[red]{escape(error.source)} cannot be used:[/red]", soft_wrap=True)
    for problem in error.problems:
        where = f"[bold]{escape(problem.path)}[/bold]: " if problem.path else ""
        console.print(f"  {where}{escape(problem.message)}", soft_wrap=True)


def problems_json(error: InvalidConfiguration) -> dict[str, Any]:
    problems = [asdict(problem) for problem in error.problems]
    return {"error": "InvalidConfiguration", "source": error.source, "problems": problems}


def as_json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
