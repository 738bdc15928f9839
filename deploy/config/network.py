"""The network of functions that must reach something in a VPC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from deploy.config import names
from deploy.config.fields import Complaint, Shape, Table, setting
from deploy.config.services import unknown_endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Table):
    """A new VPC without a way to the internet; or an existing one, by ``vpc_id``, ``subnet_ids`` and
    ``route_table_ids``."""

    cidr: str = setting(
        "10.40.0.0/20", doc="Addresses of a new VPC, /16 to /28", pattern=names.CIDR, example="10.40.0.0/20"
    )
    zones: int = setting(2, doc="Availability zones, each with a private subnet", low=1, high=6)
    flow_log_days: int = setting(14, doc="How long records of the traffic in a new VPC stay", choices=names.LOG_DAYS)
    vpc_id: str | None = setting(None, doc="An existing VPC", pattern=names.VPC, example="vpc-0123456789abcdef0")
    subnet_ids: tuple[str, ...] = setting((), doc="Its private subnets, in different zones", pattern=names.SUBNET)
    route_table_ids: tuple[str, ...] = setting(
        (), doc="Their route tables, for the endpoints of S3 and DynamoDB", pattern=names.ROUTE_TABLE
    )
    existing_endpoints: tuple[str, ...] = setting(
        (),
        doc="Services that the VPC has endpoints of already, like 'sqs'",
        pattern=Shape(r"[a-z0-9.-]+", "small letters, digits and .-"),
    )

    xray_endpoint: bool = setting(
        False,
        doc="An endpoint of X-Ray for the functions that trace; the way of Lambda's own daemon is not through the VPC",
    )

    def complaints(self) -> Iterator[Complaint]:
        if self.vpc_id is None:
            if self.subnet_ids or self.route_table_ids or self.existing_endpoints:
                yield (
                    "vpc_id",
                    "is missing: subnet_ids, route_table_ids and existing_endpoints belong to an existing VPC",
                )
            yield from self._address_complaints()
        elif not self.subnet_ids:
            yield "subnet_ids", "is missing: name the subnets of the VPC in which the functions run"
        for number, name in enumerate(self.existing_endpoints):
            if why := unknown_endpoint(name):
                yield f"existing_endpoints[{number}]", why

    def idle(self) -> Iterator[Complaint]:
        if self.vpc_id is not None:
            for name in ("cidr", "zones", "flow_log_days"):
                yield name, "it is for a new VPC, and vpc_id names one that is there"

    def _address_complaints(self) -> Iterator[Complaint]:
        try:
            network = IPv4Network(self.cidr)
        except ValueError as error:
            yield "cidr", f"is {self.cidr!r}: {error}"
            return
        if not network.is_private:
            yield "cidr", f"is {self.cidr}, which is not private; take one like 10.40.0.0/20"
        elif network.prefixlen + self._bits > 28:
            yield "cidr", f"is too small for {self.zones} subnets of at least /28; take a /{28 - self._bits} or larger"

    @property
    def _bits(self) -> int:
        return (self.zones - 1).bit_length()

    @property
    def subnet_cidrs(self) -> tuple[str, ...]:
        """One for each zone, of the same size, in a new VPC."""
        subnets = IPv4Network(self.cidr).subnets(prefixlen_diff=self._bits)
        return tuple(str(subnet) for subnet, _ in zip(subnets, range(self.zones), strict=False))

    @property
    def zone_count(self) -> int:
        """In how many zones an interface endpoint stands."""
        return self.zones if self.vpc_id is None else len(self.subnet_ids)
