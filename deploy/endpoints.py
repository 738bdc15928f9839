"""Which VPC endpoints there must be: those that the functions' code calls, and no other.

An event source mapping polls from outside of the VPC, log lines and X-Ray's daemon are Lambda's own, and Kinesis uses
KMS by itself: none of these goes through the functions' subnets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.permissions import TRACES, Caller, grants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.config import Pipeline
    from deploy.permissions import Grant

GATEWAYS = frozenset({"dynamodb", "s3"})
"""Endpoints in the route table. They cost nothing."""

# IAM's name of a service is not always that of its endpoint (VPC User Guide, "AWS services that integrate with AWS
# PrivateLink").
_ENDPOINTS = {
    "kinesis": "kinesis-streams",
    "cloudwatch": "monitoring",
    "ses": "email-smtp",
    "states": "states",
    "execute-api": "execute-api",
}


@dataclass(frozen=True, slots=True)
class Need:
    """One endpoint. ``service`` is the last part of its name: ``kinesis-streams``."""

    service: str
    reasons: tuple[str, ...]
    grants: tuple[Grant, ...]

    @property
    def gateway(self) -> bool:
        return self.service in GATEWAYS


def endpoint_of(service: str) -> str:
    """The endpoint of a service that IAM calls ``service``."""
    return _ENDPOINTS.get(service, service)


def needs(pipeline: Pipeline) -> list[Need]:
    """By name. Without those that the VPC has already."""
    network = pipeline.network
    if network is None:
        return []
    found: dict[str, list[tuple[str, Grant | None]]] = {}
    for name, consumer in pipeline.consumers.items():
        if pipeline.in_vpc(consumer):
            for grant in _asked(pipeline, name):
                found.setdefault(endpoint_of(grant.service), []).append((f"{name}: {grant.why}", grant))
    if pipeline.ingest is not None and pipeline.ingest.private:
        found.setdefault("execute-api", []).append(("the private ingest API", None))
    return [
        Need(service, tuple(why for why, _ in asked), tuple(grant for _, grant in asked if grant is not None))
        for service, asked in sorted(found.items())
        if service not in network.existing_endpoints
    ]


def _asked(pipeline: Pipeline, name: str) -> Iterator[Grant]:
    """What the consumer calls through the VPC."""
    traced = pipeline.network is not None and pipeline.network.xray_endpoint
    for grant in grants(pipeline, name):
        if grant.caller is Caller.CODE or (traced and grant.sid == TRACES):
            yield grant


def policy(need: Need) -> dict[str, Any]:
    """What the endpoint lets through: the actions of the roles that use it, on the same ARNs, from this account."""
    if not need.grants:
        # Who may put is the API's to decide; a caller who signs nothing has no account.
        anyone = {
            "Sid": "Api",
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["execute-api:Invoke"],
            "Resource": ["*"],
        }
        return {"Version": "2012-10-17", "Statement": [anyone]}
    statements = [
        {
            "Sid": f"Need{number}",
            "Effect": "Allow",
            "Principal": "*",
            "Action": sorted(actions),
            "Resource": list(resources),
            "Condition": {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}},
        }
        for number, (resources, actions) in enumerate(_by_resources(need.grants), 1)
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _by_resources(asked: Iterable[Grant]) -> list[tuple[tuple[Any, ...], set[str]]]:
    together: dict[str, tuple[tuple[Any, ...], set[str]]] = {}
    for grant in asked:
        together.setdefault(repr(grant.resources), (grant.resources, set()))[1].update(grant.actions)
    return list(together.values())


def by_consumer(pipeline: Pipeline) -> Mapping[str, frozenset[str]]:
    """The endpoints that each consumer in the VPC goes through."""
    return {
        name: frozenset(endpoint_of(grant.service) for grant in _asked(pipeline, name))
        for name, consumer in pipeline.consumers.items()
        if pipeline.in_vpc(consumer)
    }
