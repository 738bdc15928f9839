"""What ``IngestClient`` reports: raised, or standing in a result beside the record it belongs to.

    KstreamError
    └── IngestError
        ├── BadRequest           400, or refused before it was sent: this record cannot be put as it is
        ├── TooLarge             413, or refused before it was sent
        ├── NotAuthorized        401, 403                                                        (fatal)
        ├── NotFound             404: no such stream at this address                             (fatal)
        ├── UnsupportedMedia     415                                                             (fatal)
        ├── QuotaExceeded        429: the API key's quota is used up until its period ends       (fatal)
        ├── BadAnswer            what answered is not the ingest API                             (fatal)
        ├── ClientClosed         the client was closed before, or meanwhile                      (fatal)
        ├── Throttled            429, or one record over its shard's rate                        (retried)
        ├── Unavailable          5xx, 408, no connection, no answer in time, one record failed   (retried)
        └── PartialFailure       ``raise_for_failures()``, or ``put_all`` gave up

*Retried*: reported only once the attempts are used up. *Fatal*: the same would happen to every further record, so it is
raised at once, by ``put_many`` and ``put_all`` too; ``error.result`` then tells what became of each record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kstream.core.errors import KstreamError
from kstream.ingest.contract import ErrorCode

if TYPE_CHECKING:
    from kstream.ingest.results import BatchResult, BulkResult


class IngestError(KstreamError):
    """``status``, ``code`` and ``request_id`` are the answer's own, where there was one."""

    retried: ClassVar[bool] = False
    fatal: ClassVar[bool] = False

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id
        self.result: BatchResult | BulkResult | None = None


class BadRequest(IngestError):
    """The record cannot be put as it is."""


class TooLarge(IngestError):
    """The record, or the request that carried it, is over the limit."""


class NotAuthorized(IngestError):
    """No credentials, wrong ones, or none for this stream."""

    fatal = True


class NotFound(IngestError):
    """There is no such stream at this address."""

    fatal = True


class UnsupportedMedia(IngestError):
    """The API does not take this Content-Type."""

    fatal = True


class QuotaExceeded(IngestError):
    """The API key has made as many requests as its usage plan allows for the day, the week or the month."""

    fatal = True


class ClientClosed(IngestError):
    """The client has been closed: nothing is sent any more. Make another one."""

    fatal = True

    def __init__(self) -> None:
        super().__init__("the client is closed; make another one, or put inside its with block")


class BadAnswer(IngestError):
    """What answered does not keep the contract. Records of that request may be in the stream nevertheless."""

    fatal = True


class Throttled(IngestError):
    """The stream is over its rate, and stayed so through all attempts."""

    retried = True


class Unavailable(IngestError):
    """The API or the stream failed, or was not reached, through all attempts.

    If an answer was lost on the way, the record may be in the stream nevertheless.
    """

    retried = True


class PartialFailure(IngestError):
    """Some records were not put. ``result`` says which, and why."""

    def __init__(self, message: str, result: BatchResult | BulkResult) -> None:
        super().__init__(message)
        self.result = result


def error_for(status: int, message: str, code: str | None = None, request_id: str | None = None) -> IngestError:
    """The error that a status other than success stands for."""
    kind = QuotaExceeded if code == ErrorCode.QUOTA_EXCEEDED else _BY_STATUS.get(status)
    if kind is None:
        kind = Unavailable if status >= 500 else BadAnswer
    return kind(f"{status}: {message}", status=status, code=code, request_id=request_id)


_BY_STATUS: dict[int, type[IngestError]] = {
    400: BadRequest,
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    408: Unavailable,
    413: TooLarge,
    415: UnsupportedMedia,
    429: Throttled,
}
