"""CloudFormation's language, as far as it is needed: functions that return its dictionaries.

A template is a plain ``dict`` that ``json.dumps`` writes; nothing here knows a resource type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = Mapping[str, Any]
Text = str | Json
"""Text, or a function that CloudFormation puts text in the place of."""
Resources = dict[str, dict[str, Any]]

BODY_LIMIT = 51_200
"""Bytes of a template in a request; a larger one has to lie in a bucket (CloudFormation's quotas)."""
UPLOAD_LIMIT = 1_000_000
MOST_RESOURCES = 500


def ref(logical_id: str) -> Json:
    return {"Ref": logical_id}


def att(logical_id: str, attribute: str) -> Json:
    return {"Fn::GetAtt": [logical_id, attribute]}


def sub(text: str) -> Json:
    return {"Fn::Sub": text}


def arn(service: str, resource: str) -> Json:
    """Of something in the stack's own region and account."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")


def global_arn(service: str, resource: str) -> Json:
    """Of something without region and account in its ARN: S3."""
    return sub(f"arn:${{AWS::Partition}}:{service}:::{resource}")


def resource(
    kind: str,
    properties: Json,
    *,
    keep: bool | None = None,
    depends_on: Sequence[str] = (),
    metadata: Json | None = None,
) -> dict[str, Any]:
    """One resource. ``keep``: whether it stays when its stack goes, or when CloudFormation would replace it; to be said
    of what holds something."""
    body: dict[str, Any] = {"Type": kind}
    if depends_on:
        body["DependsOn"] = list(depends_on)
    if keep is not None:
        body["DeletionPolicy"] = body["UpdateReplacePolicy"] = "Retain" if keep else "Delete"
    if metadata:
        body["Metadata"] = dict(metadata)
    body["Properties"] = {name: value for name, value in properties.items() if value is not None}
    return body


def template(
    description: str,
    resources: Resources,
    *,
    parameters: Mapping[str, str] | None = None,
    outputs: Mapping[str, Text] | None = None,
) -> dict[str, Any]:
    """``parameters``: names with what they are; all of them text."""
    body: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09", "Description": description}
    if parameters:
        body["Parameters"] = {
            name: {"Type": "String", "Description": meaning} for name, meaning in sorted(parameters.items())
        }
    body["Resources"] = resources
    if outputs:
        body["Outputs"] = {name: {"Value": value} for name, value in sorted(outputs.items())}
    return body


def logical(*names: str) -> str:
    """A logical id: ``logical("order-totals", "Role")`` is ``OrderTotalsRole``."""
    parts = [part for name in names for part in name.replace(".", "-").replace("_", "-").split("-")]
    return "".join(part[:1].upper() + part[1:] for part in parts)


def written(body: Json) -> str:
    """The template as it goes to a file or to CloudFormation: the same value, the same text."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def compact(body: Any) -> str:
    """JSON without blanks, for what is text inside a template and for hashes."""
    return json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
