"""Rules about the ingest API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.lint.finding import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.lint.finding import Subject

_PER_SHARD = 1000
_NEW_ON_DEMAND = 4000
"""Records a second that a new on-demand stream takes (Kinesis developer guide, "On-demand mode")."""
_METHODS = ("get", "put", "post", "delete", "patch", "head")


def throttle_above_capacity(subject: Subject) -> Iterator[Remark]:
    """One record a request, at the least: a batch may have 500."""
    ingest = subject.pipeline.ingest
    if ingest is None:
        return
    for key in ingest.streams:
        stream = subject.pipeline.streams[key]
        takes = (stream.shards or 0) * _PER_SHARD or _NEW_ON_DEMAND
        if ingest.requests_per_second > takes:
            yield Remark(
                key,
                "ingest.requests_per_second",
                f"is {ingest.requests_per_second:,}, and stream {key} takes {takes:,} records a second: its producers would "
                "be throttled by Kinesis instead of by the API. Lower it, or add shards",
            )


def open_operation(subject: Subject) -> Iterator[Remark]:
    """Whatever takes records must ask who puts them. Health and preflight requests take none."""
    for stack in subject.stacks:
        for resource in stack.template["Resources"].values():
            if resource["Type"] != "AWS::ApiGateway::RestApi":
                continue
            for path, operations in resource["Properties"]["Body"]["paths"].items():
                for method in set(operations) & set(_METHODS):
                    operation = operations[method]
                    mocked = operation.get("x-amazon-apigateway-integration", {}).get("type") == "mock"
                    if not any(operation.get("security", ())) and not mocked:
                        yield Remark(
                            path, "ingest.streams", f"{method.upper()} {path} has no security: anyone may put records"
                        )


def no_scopes(subject: Subject) -> Iterator[Remark]:
    """Without scopes, a token that is good for one stream is good for all that ask the same issuer."""
    ingest = subject.pipeline.ingest
    if ingest is None:
        return
    for key, door in ingest.streams.items():
        if door.who in ("jwt", "cognito") and not door.scopes:
            whose = "of the issuer for these audiences" if door.who == "jwt" else "that the user pool gives its users"
            yield Remark(
                key,
                f"ingest.streams.{key}.scopes",
                f"is empty: every {'token' if door.who == 'jwt' else 'ID token'} {whose} may put into stream {key}. Name "
                "the scopes of which a token needs one",
            )


def key_alone(subject: Subject) -> Iterator[Remark]:
    ingest = subject.pipeline.ingest
    if ingest is None:
        return
    for key, door in ingest.streams.items():
        if door.api_key and door.who is None:
            yield Remark(
                key,
                f"ingest.streams.{key}.who",
                "is missing: an API key alone says who is counted, not who may put; Amazon advises against it "
                "as the only lock",
            )
