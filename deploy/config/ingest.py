"""The ingest API: who may put into which stream, and how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.config import names
from deploy.config.fields import Complaint, Shape, Table, setting

WHO = ("iam", "jwt", "cognito", "lambda")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door(Table):
    """One stream of the API, and who may put into it."""

    who: str | None = setting(None, doc="How a producer proves who it is", choices=WHO)
    api_key: bool = setting(False, doc="Ask for an API key of a usage plan besides")
    issuer: str | None = setting(
        None, doc="The https URL of the tokens' issuer", pattern=Shape(r"https://\S+", "https:// and no blanks")
    )
    audiences: tuple[str, ...] = setting((), doc="The audiences of the tokens")
    algorithms: tuple[str, ...] = setting(
        ("RS256", "ES256"),
        doc="How the tokens may be signed",
        choices=("RS256", "RS384", "RS512", "ES256", "ES384", "ES512"),
        low=1,
    )
    scopes: tuple[str, ...] = setting(
        (),
        doc="Scopes of which a token must have one; for Cognito's access tokens they are needed",
        pattern=Shape(r"[!#-\[\]-~]+", "printable ASCII without blanks, quotes and backslashes"),
        example='["put:orders"]',
    )
    user_pools: tuple[str, ...] = setting((), doc="ARNs of Cognito user pools", pattern=names.USER_POOL_ARN)
    function_arn: str | None = setting(None, doc="The Lambda authorizer", pattern=names.FUNCTION_ARN)
    function_sees: str = setting("token", doc="What it is given", choices=("token", "request"))
    cache_seconds: int = setting(300, doc="How long its answer is kept", low=0, high=3600)
    cors_origins: tuple[str, ...] = setting(
        (),
        doc="Web origins whose pages may put",
        pattern=Shape(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|\*", "https://HOST, with :PORT if it has one, or *"),
    )
    key_required: bool = setting(False, doc="Refuse records without a partition key")
    envelope: bool = setting(False, doc="Put each record behind the trace headers of its request")

    def complaints(self) -> Iterator[Complaint]:
        if self.who is None and not self.api_key:
            yield "who", f"is missing: name who may put, one of {', '.join(WHO)} (KS010)"
        needs = {"jwt": ("issuer", "audiences"), "cognito": ("user_pools",), "lambda": ("function_arn",)}
        for who, settings in needs.items():
            for name in settings:
                if self.who == who and not getattr(self, name):
                    yield name, f"is missing: who = {who!r} needs it"
                if self.who != who and getattr(self, name):
                    yield name, f"goes with who = {who!r}"
        if self.scopes and self.who not in ("jwt", "cognito"):
            yield "scopes", "goes with who = 'jwt' or 'cognito'"
        if "*" in self.cors_origins and len(self.cors_origins) > 1:
            yield "cors_origins", "has '*', which is every origin, beside others: leave one or the other out"

    def idle(self) -> Iterator[Complaint]:
        if self.who != "jwt":
            yield "algorithms", "it goes with who = 'jwt'"
        if self.who != "lambda":
            for name in ("function_sees", "cache_seconds"):
                yield name, "it goes with who = 'lambda'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest(Table):
    """An API Gateway REST API that puts into streams."""

    streams: Mapping[str, Door] = setting(
        doc="Which streams, and who may put into each", names=names.KEY, low=1, high=40
    )
    stage: str = setting(
        "v1", doc="The first part of the path", pattern=Shape(r"[a-zA-Z0-9_-]{1,64}", "1 to 64 letters, digits and _-")
    )
    requests_per_second: int = setting(500, doc="Of all producers together", low=1, high=10_000)
    burst: int = setting(1000, doc="Requests at once", low=1, high=5_000)
    log_retention_days: int = setting(30, doc="How long access log lines stay", choices=names.LOG_DAYS)
    tracing: bool = setting(True, doc="X-Ray's active tracing")
    private: bool = setting(False, doc="Only from inside the VPC")
    callers: tuple[str, ...] = setting(
        (), doc="Security groups in the VPC that may call a private API", pattern=names.SECURITY_GROUP, high=20
    )
    vpc_endpoint_id: str | None = setting(
        None,
        doc="The VPC endpoint of execute-api by which a private API is called; by default a new one",
        pattern=names.VPC_ENDPOINT,
        example="vpce-0123456789abcdef0",
    )
    manage_log_role: bool = setting(
        True, doc="Set API Gateway's log role, which the account has once for a region; false if it is set elsewhere"
    )
    producers: tuple[str, ...] = setting(
        ("default",), doc="Who gets an API key, by name", pattern=names.KEY.up_to(31), low=1, high=100
    )
    web_acl: bool = setting(False, doc="A web ACL of AWS WAF in front, with a limit for each address")
    requests_per_address: int = setting(
        2000, doc="The limit of the web ACL: requests in five minutes", low=10, high=2_000_000_000
    )
    keys_per_day: int = setting(1_000_000, doc="Requests a day for each API key", low=1, high=1_000_000_000)

    def complaints(self) -> Iterator[Complaint]:
        if self.private and self.vpc_endpoint_id is None and not self.callers:
            yield "callers", "is missing: name the security groups in the VPC that may call the private API"
        for name in ("callers", "vpc_endpoint_id"):
            if getattr(self, name) and not self.private:
                yield name, "goes with private = true"
        if self.callers and self.vpc_endpoint_id:
            yield "callers", "is for an endpoint of our own; who may call is for the group of vpc_endpoint_id to say"

    def idle(self) -> Iterator[Complaint]:
        if not self.has_keys:
            for name in ("producers", "keys_per_day"):
                yield name, "no stream asks for an API key (api_key = true)"
        if not self.web_acl:
            yield "requests_per_address", "it is the limit of the web ACL, and there is none (web_acl = true)"

    @property
    def has_keys(self) -> bool:
        """Whether any stream asks for an API key."""
        return any(door.api_key for door in self.streams.values())
