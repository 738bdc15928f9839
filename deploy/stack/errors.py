"""What can go wrong with AWS: named, with the next command to run."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


class DeployError(ConfigurationError):
    """Nothing more is done. ``then`` is the next command: of ``python -m deploy`` if it begins with one of its words."""

    def __init__(self, message: str, then: str) -> None:
        super().__init__(message)
        self.then = then


class NoCredentials(DeployError):
    """There are no credentials, or they are not valid any more."""


class WrongAccount(DeployError):
    """The credentials belong to another account than ``pipeline.toml`` names."""


class WrongRegion(DeployError):
    """Asked for another region than ``pipeline.toml`` names, or for none."""


class Unreachable(DeployError):
    """Nobody answers at the endpoint."""


class NotAllowed(DeployError):
    """The credentials are valid, and may not do this."""


class NameTaken(DeployError):
    """Something has the name that is not of this pipeline's stack."""


class QuotaReached(DeployError):
    """The account has as many as it may have."""


class AnotherAtWork(DeployError):
    """Somebody else deploys the same stack."""


class StackFailed(DeployError):
    """The stack is in a state from which CloudFormation does not update it."""


class RolledBack(DeployError):
    """The change failed, and CloudFormation went back to what was there before."""


class HalfDeleted(DeployError):
    """CloudFormation could not delete all of a stack. What it has deleted is gone."""


class NoSuchBucket(DeployError):
    """The bucket for the packages, which the file says is there, is not."""


class ChangeRefused(DeployError):
    """CloudFormation does not take the template or its parameters."""


class DeadlinePassed(DeployError):
    """It took longer than we wait. CloudFormation goes on."""


class DataWouldBeLost(DeployError):
    """Nothing was done, because data would have gone with it."""


class CannotAdopt(DeployError):
    """What stands already cannot become part of the pipeline as it is."""


class CallFailed(DeployError):
    """Any other answer of AWS's."""


_CREDENTIALS = {
    "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "RequestExpired",
    "SignatureDoesNotMatch", "UnrecognizedClientException", "AuthFailure",
}  # fmt: skip
_NOT_ALLOWED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_TAKEN = {"AlreadyExistsException", "BucketAlreadyExists"}
_QUOTA = {"LimitExceeded", "LimitExceededException", "TooManyBuckets", "ServiceQuotaExceededException"}
_AT_WORK = {"OperationInProgressException", "OperationInProgress", "InvalidChangeSetStatus", "OperationAborted"}
# The last: of a stack that was not there, or only begun, when we looked.
_BUSY = re.compile(r"_IN_PROGRESS state and can ?not be |already exists and cannot be created again with the changeSet")

TAKEN = re.compile(r"already exists|AlreadyExists|ResourceInUseException|already owned|QueueNameExists", re.IGNORECASE)
"""In the reason of a failed resource: its name is in use."""
QUOTA = re.compile(r"LimitExceeded|limit exceeded|quota|maximum number of|TooMany(?!Requests)", re.IGNORECASE)
"""In the reason of a failed resource: the account has no more room."""


@contextmanager
def named(what: str) -> Iterator[None]:
    """Makes named errors of botocore's. ``what``: the thing that is worked on, like ``the stack orders-stream``."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,  # noqa: A004 - its name
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        raise of_answer(what, error.response["Error"].get("Code", ""), str(error)) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise NoCredentials(f"{what}: {error}", "aws configure") from error
    except (ConnectionError, HTTPClientError) as error:
        message = f"{what}: nobody answers: {error}. Is the region's name right, and is there a network?"
        raise Unreachable(message, "status") from error
    except BotoCoreError as error:
        raise CallFailed(f"{what}: {error}", "status") from error


def of_answer(what: str, code: str, message: str) -> DeployError:
    """The named error for what AWS answered."""
    said = f"{what}: {message}"
    if code in _CREDENTIALS:
        return NoCredentials(f"{said} The credentials are wrong or have expired.", "aws sso login")
    if code in _NOT_ALLOWED:
        return NotAllowed(f"{said} Whoever deploys needs this action.", "aws sts get-caller-identity")
    if code in _TAKEN:
        return NameTaken(f"{said} Choose another name in pipeline.toml.", "plan")
    if code in _QUOTA:
        return QuotaReached(f"{said} Delete what is not needed, or ask for more.", "aws service-quotas list-services")
    if code in _AT_WORK or _BUSY.search(message):
        return AnotherAtWork(f"{said} Somebody else deploys it: when they are done, begin anew.", "plan")
    if code == "ValidationError":
        return ChangeRefused(said, "lint")
    return CallFailed(said, "status")
