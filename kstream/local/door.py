"""The lock that ``kstream dev`` may put on its ingest API, and the key that fits it.

The key is the same everywhere, and said aloud: it is for trying out what signing is like, and guards nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kstream.aws.sigv4 import SigV4
    from kstream.ingest.engine.integration import PutRecords
    from kstream.ingest.gateway import Gateway

ACCESS_KEY: Final = "test"
SECRET_KEY: Final = "test"  # noqa: S105 - said aloud
REGION: Final = "us-east-1"


class Lock(StrEnum):
    """Who may put. ``iam``: whoever signs (SigV4) with ``ACCESS_KEY`` and ``SECRET_KEY`` for ``REGION``."""

    none = "none"
    iam = "iam"


def gateway(streams: Sequence[str], put_records: PutRecords, lock: Lock, *, envelope: bool = False) -> Gateway:
    """The ingest API before these streams, with its lock. ``envelope``: see ``IngestStream``."""
    from kstream.ingest.gateway import locked_gateway, unlocked_gateway

    if lock is Lock.none:
        return unlocked_gateway(streams, put_records, envelope=envelope)
    from kstream.ingest.api import Iam, IngestApi, IngestStream
    from kstream.ingest.enforcing.iam_lock import LocalCredentials
    from kstream.ingest.enforcing.local_door import Residents

    api = IngestApi(streams=tuple(IngestStream(name=name, locks=(Iam(),), envelope=envelope) for name in streams))
    return locked_gateway(api, put_records, Residents(credentials=[LocalCredentials(ACCESS_KEY, SECRET_KEY)]))


def key(lock: Lock) -> SigV4 | None:
    """What a client needs to get in; None if nothing. Whatever AWS credentials the environment has, it is not these."""
    if lock is Lock.none:
        return None
    from kstream.aws.sigv4 import SigV4

    return SigV4.with_keys(ACCESS_KEY, SECRET_KEY, region=REGION)
