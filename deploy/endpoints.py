"""Which VPC endpoints there must be: those that the functions' code calls, and no other.

An event source mapping polls from outside of the VPC, log lines and X-Ray's daemon are Lambda's own, and Kinesis uses
KMS by itself: none of these goes through the functions' subnets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.config.services import ENDPOINTS
from deploy.permissions import TRACES, Caller, grants
from deploy.policy_size import require_room_in_endpoint
from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.config import Pipeline
    from deploy.permissions import Grant

GATEWAYS = frozenset({"dynamodb", "s3"})
"""Endpoints in the route table. They cost nothing."""
API = "execute-api"
"""The endpoint by which private APIs are called."""


class NoRoutes(ConfigurationError):
    """An endpoint in route tables, and no table is named."""


@dataclass(frozen=True, slots=True)
class Need:
    """One endpoint. ``service`` is the last part of its name: ``kinesis-streams``. ``api``: the private ingest API is
    called by it, whoever else calls by it besides."""

    service: str
    reasons: tuple[str, ...]
    grants: tuple[Grant, ...]
    api: bool = False

    @property
    def gateway(self) -> bool:
        return self.service in GATEWAYS


def needs(pipeline: Pipeline) -> list[Need]:
    """By name. Without those that the VPC has already."""
    network = pipeline.network
    if network is None:
        return []
    found: dict[str, list[tuple[str, Grant | None]]] = {}
    for name, consumer in pipeline.consumers.items():
        if pipeline.in_vpc(consumer):
            for service, grant in _asked(pipeline, name):
                found.setdefault(service, []).append((f"{name}: {grant.why}", grant))
    if pipeline.ingest is not None and pipeline.ingest.private and pipeline.ingest.vpc_endpoint_id is None:
        found.setdefault(API, []).append(("the private ingest API", None))
    made = [
        Need(
            service,
            tuple(why for why, _ in asked),
            tuple(grant for _, grant in asked if grant is not None),
            api=any(grant is None for _, grant in asked),
        )
        for service, asked in sorted(found.items())
        if service not in network.existing_endpoints
    ]
    _check_routes(pipeline, made)
    return made


def _check_routes(pipeline: Pipeline, made: list[Need]) -> None:
    network = pipeline.network
    gateways = [need for need in made if need.gateway]
    if gateways and network is not None and network.vpc_id is not None and not network.route_table_ids:
        services = " and ".join(need.service for need in gateways)
        raise NoRoutes(
            f"network.route_table_ids is missing: {services} is called by route tables ({gateways[0].reasons[0]}). Name "
            f"those of subnet_ids, or {services} in existing_endpoints if the VPC has a way there"
        )


def _asked(pipeline: Pipeline, name: str) -> Iterator[tuple[str, Grant]]:
    """What the consumer calls through the VPC, and by which endpoint."""
    traced = pipeline.network is not None and pipeline.network.xray_endpoint
    for grant in grants(pipeline, name):
        if grant.caller is Caller.CODE or (traced and grant.sid == TRACES):
            endpoint = ENDPOINTS[grant.service]
            if endpoint is not None:
                yield endpoint, grant


def policy(need: Need) -> dict[str, Any]:
    """What the endpoint lets through: the actions of the roles that use it, on the same ARNs, from this account. Raises
    ``PolicyTooLarge``."""
    # Who may put is the API's to decide; a caller who signs nothing has no account.
    anyone = {
        "Sid": "Api",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["execute-api:Invoke"],
        "Resource": ["*"],
    }
    statements: list[dict[str, Any]] = [anyone] if need.api else []
    statements += [
        {
            "Sid": f"Need{number}",
            "Effect": "Allow",
            "Principal": "*",
            "Action": list(actions),
            "Resource": resources,
            "Condition": {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}},
        }
        for number, (actions, resources) in enumerate(_by_actions(need.grants), 1)
    ]
    made = {"Version": "2012-10-17", "Statement": statements}
    require_room_in_endpoint(made, need.service)
    return made


def _by_actions(asked: Iterable[Grant]) -> list[tuple[tuple[str, ...], list[Any]]]:
    """What is allowed on the same resources together, and on what the same is allowed: the ledgers of all consumers are one
    statement."""
    allowed: dict[str, tuple[tuple[Any, ...], set[str]]] = {}
    for grant in asked:
        allowed.setdefault(repr(grant.resources), (grant.resources, set()))[1].update(grant.actions)
    together: dict[tuple[str, ...], list[Any]] = {}
    for resources, actions in allowed.values():
        on = together.setdefault(tuple(sorted(actions)), [])
        on += [one for one in resources if one not in on]
    return list(together.items())


def by_consumer(pipeline: Pipeline) -> Mapping[str, frozenset[str]]:
    """The endpoints that each consumer in the VPC goes through."""
    return {
        name: frozenset(endpoint for endpoint, _ in _asked(pipeline, name))
        for name, consumer in pipeline.consumers.items()
        if pipeline.in_vpc(consumer)
    }
