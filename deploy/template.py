"""CloudFormation's language, as far as it is needed: functions that return its dictionaries.

A template is a plain ``dict`` that ``json.dumps`` writes; nothing here knows a resource type.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

Json = Mapping[str, Any]
Text = str | Json
"""Text, or a function that CloudFormation puts text in the place of."""


class SameName(ConfigurationError):
    """Two parts of one template have the same name: one of them would be lost."""


class Named(dict[str, T]):
    """What a template tells apart by name. A second of the same name is refused, however it is put in."""

    def __init__(self, *parts: Mapping[str, T]) -> None:
        super().__init__()
        for part in parts:
            self.update(part)

    def __setitem__(self, name: str, value: T) -> None:
        if name in self:
            raise SameName(f"{name} would stand twice in one template, and one be lost: rename one of the two")
        super().__setitem__(name, value)

    def update(self, other: Mapping[str, T]) -> None:  # type: ignore[override] # of one mapping alone
        for name, value in other.items():
            self[name] = value

    def __ior__(self, other: Mapping[str, T]) -> Named[T]:  # type: ignore[override]
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, T]) -> Named[T]:  # type: ignore[override]
        return Named(self, other)


Resources = Named[dict[str, Any]]
Outputs = Named[Text]

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
    outputs: Outputs | None = None,
) -> dict[str, Any]:
    """``parameters``: names with what they are; all of them text. Raises ``SameName`` for one that is a resource's too:
    ``Ref`` takes either."""
    Named[Any](resources, parameters or {})
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
    """A logical id: ``logical("order-totals", "Role")`` is ``OrderTotalsRole``.

    It tells names apart that are the configuration's keys, of which ``deploy.config`` refuses those that differ in hyphens
    alone; all but one of ``names`` must come from a fixed set, none of which ends in another.
    """
    parts = [part for name in names for part in name.replace(".", "-").replace("_", "-").split("-")]
    return "".join(part[:1].upper() + part[1:] for part in parts)


def logical_of_any(*names: str) -> str:
    """A logical id for names that may hold anything: with a hash of them behind it, which tells them apart."""
    letters = ("".join(char for char in logical(name) if char.isascii() and char.isalnum()) for name in names)
    return "".join(letters) + sha256(json.dumps(names).encode()).hexdigest()[:8]


def written(body: Json) -> str:
    """The template as it goes to a file or to CloudFormation: the same value, the same text."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def compact(body: Any) -> str:
    """JSON without blanks, for what is text inside a template and for hashes."""
    return json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
