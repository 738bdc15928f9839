"""Which account and region we talk to, and the clients for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy.stack.errors import NoCredentials, WrongAccount, WrongRegion, named
from kstream import ConfigurationError
from kstream.aws import clients

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.config import Pipeline


@dataclass(frozen=True, slots=True)
class Account:
    """``id`` has twelve digits. ``make`` makes a boto3 client of a service; each is made once. ``emulated``: by something
    that is not AWS."""

    id: str
    region: str
    make: Callable[[str], Any]
    emulated: bool = False
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self.make(service)
        return self._made[service]

    @property
    def cloudformation(self) -> Any:
        return self.client("cloudformation")


def connect(pipeline: Pipeline, *, endpoint_url: str | None = None, region: str | None = None) -> Account:
    """Where the pipeline is to be. Raises ``WrongRegion``, ``NoCredentials``, ``WrongAccount``, ``Unreachable``."""
    if region and pipeline.region and region != pipeline.region:
        raise WrongRegion(
            f"--region is {region}, and pipeline.toml says that this pipeline belongs to {pipeline.region}: leave the "
            "option out, or give the other region an [env.NAME] of its own",
            "plan",
        )
    where = region or pipeline.region

    def make(service: str) -> Any:
        return clients.client(service, endpoint_url=endpoint_url, region=where)

    try:
        sts = make("sts")
    except ConfigurationError as error:
        if "region" in str(error):
            raise WrongRegion(
                f"{error}. Or write region = 'eu-west-1' in pipeline.toml", "plan --region NAME"
            ) from error
        raise NoCredentials(str(error), "aws configure") from error
    # STS alone answers without a region: it has an endpoint for all.
    if sts.meta.region_name in (None, "aws-global"):
        raise WrongRegion(
            "nobody says which region: write region = 'eu-west-1' in pipeline.toml, or set AWS_DEFAULT_REGION",
            "plan --region NAME",
        )
    return identify(pipeline, sts, make, emulated=endpoint_url is not None)


def identify(pipeline: Pipeline, sts: Any, make: Callable[[str], Any], *, emulated: bool = False) -> Account:
    """Asks ``sts`` who we are. Raises ``WrongAccount`` if that is not whom the pipeline belongs to."""
    with named("who we are"):
        found = str(sts.get_caller_identity()["Account"])
    if pipeline.account and found != pipeline.account:
        raise WrongAccount(
            f"the credentials are of the account {found}, and pipeline.toml says that this pipeline belongs to "
            f"{pipeline.account}: choose the other profile with AWS_PROFILE",
            "aws sts get-caller-identity",
        )
    return Account(found, str(sts.meta.region_name), make, emulated)
