"""The door: an operation's security requirement, checked by the locks of its schemes.

A requirement is OpenAPI's: a list of alternatives, each naming schemes of which *all* must agree. ``[]`` is an operation
that is open on purpose (``/health``); None is one that says nothing, and stays shut.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from kstream.ingest.enforcing.api_key_lock import ApiKeyLock
from kstream.ingest.enforcing.call import Allowed, Kind, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kstream.ingest.enforcing.call import Call, Lock, Verdict

_log = logging.getLogger(__name__)


class Door:
    """Thread-safe. ``locks``: by the names of the security schemes."""

    def __init__(self, locks: Mapping[str, Lock]) -> None:
        self._locks = dict(locks)

    def check(self, call: Call, security: Sequence[Mapping[str, Sequence[str]]] | None) -> Verdict:
        """Never raises; whatever goes wrong is a refusal."""
        if security is None:
            _log.error("%s %s has no security entry; nobody gets in", call.method, call.path)
            return Refused(Kind.AUTHORIZER_CONFIGURATION_ERROR, "Internal server error")
        if not security:
            return Allowed()
        refusals: list[Refused] = []
        for alternative in security:
            verdict = self._alternative(call, alternative)
            if isinstance(verdict, Allowed):
                return verdict
            refusals.append(verdict)
        # Of several, the refusal of what the caller did offer says more than that of what it did not.
        return next((refusal for refusal in refusals if not refusal.absent), refusals[0])

    def _alternative(self, call: Call, schemes: Mapping[str, Sequence[str]]) -> Verdict:
        if not schemes:
            # In OpenAPI ``{}`` lets anybody in. That is said by ``[]``, and never in passing.
            _log.error("%s %s has an alternative without a security scheme", call.method, call.path)
            return Refused(Kind.AUTHORIZER_CONFIGURATION_ERROR, "Internal server error")
        so_far = Allowed()
        # As on AWS the authorizer comes first: the API key may be what it returned, and only callers who are let in
        # count against a plan.
        for name in sorted(schemes, key=lambda scheme: isinstance(self._locks.get(scheme), ApiKeyLock)):
            lock = self._locks.get(name)
            if lock is None:
                _log.error("%s %s names the security scheme %r, which has no lock", call.method, call.path, name)
                return Refused(Kind.AUTHORIZER_CONFIGURATION_ERROR, "Internal server error")
            try:
                verdict = lock.check(call, schemes[name], so_far)
            except BaseException as error:  # noqa: BLE001 - a lock that breaks stays shut
                _log.error("the lock %r raised %s", name, type(error).__name__)
                return Refused(Kind.AUTHORIZER_FAILURE, "Internal server error")
            if isinstance(verdict, Refused):
                return verdict
            # The authorizer's principal stays; a key's name stands in only where nobody else said who it is.
            so_far = Allowed({**verdict.context, **so_far.context}, verdict.usage_key or so_far.usage_key)
        return so_far
