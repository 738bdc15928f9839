"""A service of LocalStack's that is served by another server. LocalStack's own DynamoDB needs Java and a download."""

from __future__ import annotations

from localstack.aws.forwarder import AwsRequestProxy, ForwardingFallbackDispatcher
from localstack.services.plugins import Service


def forwarded(api: type, url: str) -> Service:
    """Every operation of ``api`` goes to ``url`` as it came, with the caller's account and region in its signature."""
    return Service.for_provider(
        api(), dispatch_table_factory=lambda provider: ForwardingFallbackDispatcher(provider, AwsRequestProxy(url))
    )
