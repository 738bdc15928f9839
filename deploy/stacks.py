"""What is handed to whoever deploys: stacks, in the order in which they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from deploy.template import written

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class OutputOf:
    """The value of another stack's output. ``stack`` is its full name."""

    stack: str
    output: str


@dataclass(frozen=True, slots=True)
class PrefixListOf:
    """The id of Amazon's own prefix list of ``s3`` or ``dynamodb`` in the region (``com.amazonaws.REGION.SERVICE``)."""

    service: str


@dataclass(frozen=True, slots=True)
class ArtifactOf:
    """Where the package of a consumer's function lies in S3, or (``layer``) that of its layer."""

    consumer: str
    part: Literal["bucket", "key", "layer"]


Parameter = str | OutputOf | PrefixListOf | ArtifactOf


@dataclass(frozen=True, slots=True)
class Holding:
    """A resource with data in it. ``kept``: it outlives its stack; otherwise deleting the stack deletes the data."""

    logical_id: str
    kind: Literal["stream", "bucket", "queue", "table"]
    name: Any
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One CloudFormation stack, ready to be deployed.

    ``name``          its full name.
    ``role``          what it is in the pipeline: ``network``, ``stream``, ``consumer-archive``, ``ingest``, ``monitoring``.
    ``parameters``    each a value, or where to find it once the stacks before are there.
    ``dependencies``  full names of the stacks that must be there before.
    ``capabilities``  what CloudFormation wants to be told.
    ``tags``          go to every resource that can have them.
    """

    name: str
    role: str
    template: Mapping[str, Any]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    holds: tuple[Holding, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> str:
        """The template as text."""
        return written(self.template)

    @property
    def size(self) -> int:
        """Bytes of the template."""
        return len(self.body.encode())
