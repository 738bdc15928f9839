"""The templates of three configurations, word for word. After a change that is meant, write them anew::

    python -m tests.golden.deploy

and look at what the version control says has changed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.config import load
from deploy.output import stacks_json
from deploy.synthesis import stacks

if TYPE_CHECKING:
    from deploy.config import Pipeline

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

CASES = {
    "everything": (HERE / "everything.toml", None),
    "flights": (ROOT / "pipeline.toml", None),
    "flights-prod": (ROOT / "pipeline.toml", "prod"),
    "minimal": (ROOT / "examples" / "pipeline-minimal.toml", None),
}


def pipeline(case: str) -> Pipeline:
    return load(*CASES[case])


def rendered(case: str) -> dict[str, str]:
    """File names, and what stands in them."""
    made = stacks(pipeline(case))
    files = {f"{stack.name}.json": _text(_settled(dict(stack.template))) for stack in made}
    return {**files, "stacks.json": _text([{**one, "bytes": None} for one in stacks_json(made, Path())])}


def _settled(template: dict[str, Any]) -> dict[str, Any]:
    """Without the OpenAPI document, which has its own tests, and without its hash."""
    resources = dict(template["Resources"])
    for logical_id, resource in list(resources.items()):
        if resource["Type"] == "AWS::ApiGateway::RestApi":
            properties = {**resource["Properties"], "Body": "the document of kstream.ingest.openapi"}
            resources[logical_id] = {**resource, "Properties": properties}
        if resource["Type"] == "AWS::ApiGateway::Deployment":
            resources = json.loads(json.dumps(resources).replace(logical_id, "DeploymentAndItsHash"))
    return {**template, "Resources": resources}


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def write() -> None:
    for case in CASES:
        folder = HERE / case
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, text in rendered(case).items():
            (folder / name).write_text(text, encoding="utf-8")
