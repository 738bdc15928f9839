"""AWS's errors in kstream's own words: what was being done, what AWS says, and what to do about it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kstream.core.errors import KstreamError

THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "403"})


@contextmanager
def told_as(kind: type[KstreamError], action: str, *, needs: str, remedies: Mapping[str, str]) -> Iterator[None]:
    """What botocore raises within becomes ``kind``: "``action``: what AWS said; the remedy".

    ``needs`` names the IAM actions, for a refusal; ``remedies`` maps other error codes of the service to what helps.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise kind(f"{action}: boto3 is not installed: pip install 'kstream[aws]'") from error
    try:
        yield
    except ConfigurationError as error:
        # The client could not be made. The ports promise one kind of error.
        raise kind(f"{action}: {error}") from error
    except ClientError as error:
        raise kind(f"{action}: {_words(error, needs, remedies)}") from error
    except BotoCoreError as error:
        # No answer at all, no credentials, no region: botocore's own words name it.
        raise kind(f"{action}: {type(error).__name__}: {error}") from error


def code_of(error: Exception) -> str:
    """The service's error code in a ``ClientError``; "" if it has none."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _words(error: Exception, needs: str, remedies: Mapping[str, str]) -> str:
    code = code_of(error)
    # SQS has codes such as AWS.SimpleQueueService.NonExistentQueue.
    remedy = remedies.get(code) or remedies.get(code.rpartition(".")[2])
    if remedy is None and code in DENIED:
        remedy = f"allow {needs}"
    elif remedy is None and code in THROTTLED:
        remedy = "it throttles, also after retries: give it more capacity"
    return f"{error}; {remedy}" if remedy else str(error)
