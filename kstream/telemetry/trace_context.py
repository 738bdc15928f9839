"""Where a record comes from, as its producer's tracer says it: the headers ``traceparent`` and ``X-Amzn-Trace-Id``.

Both say the same three things: a trace, the span in it that sent this, and whether the trace is kept. ``traceparent`` is
W3C's (https://www.w3.org/TR/trace-context/), the other one is X-Ray's; its trace id, ``1-8 hex-24 hex``, is the 32 hex
digits of W3C's cut in two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACEPARENT = "traceparent"
AMZN_TRACE_ID = "X-Amzn-Trace-Id"

_LONGEST = 2_000
"""Characters. What is longer is not a trace header, and nobody should spend time on it."""

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_PARENT_ID = re.compile(r"[0-9a-f]{16}")
_SAMPLED = {"0": False, "1": True, "?": None}
_KNOWN = ("root", "parent", "sampled")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace. Raises ``ValueError`` for ids that are none; the readers below return None instead.

    ``trace_id``   32 hex digits in lower case, not all zero.
    ``parent_id``  the span that sent this: 16 hex digits in lower case, not all zero. None if only the trace is known, as
                   from a load balancer.
    ``sampled``    whether the trace is kept; None if that is not decided yet.
    """

    trace_id: str
    parent_id: str | None = None
    sampled: bool | None = None

    def __post_init__(self) -> None:
        if not _TRACE_ID.fullmatch(self.trace_id) or _is_zero(self.trace_id):
            raise ValueError(f"trace_id={self.trace_id!r}: 32 hex digits in lower case, not all zero")
        if self.parent_id is not None and (not _PARENT_ID.fullmatch(self.parent_id) or _is_zero(self.parent_id)):
            raise ValueError(f"parent_id={self.parent_id!r}: 16 hex digits in lower case, not all zero")

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> TraceContext | None:
        """What these headers say, whatever the case of their names; None if that is nothing, or not what it should be.

        ``traceparent`` comes first: what stands between producer and stream, API Gateway for one, writes the other anew.
        """
        if not headers:
            return None
        found: dict[str, str] = {}
        for name, value in headers.items():
            found.setdefault(name.lower(), value)
        return cls.from_traceparent(found.get(TRACEPARENT, "")) or cls.from_amzn(found.get(AMZN_TRACE_ID.lower(), ""))

    @classmethod
    def from_traceparent(cls, value: str) -> TraceContext | None:
        """Reads ``version-trace id-parent id-flags``. A later version may go on after that, the first one may not."""
        if len(value) > _LONGEST or (match := _TRACEPARENT.fullmatch(value.strip(" \t"))) is None:
            return None
        version, trace_id, parent_id, flags, more = match.groups()
        if version == "ff" or (version == "00" and more is not None) or _is_zero(trace_id) or _is_zero(parent_id):
            return None
        return cls(trace_id, parent_id, bool(int(flags, 16) & 1))

    @classmethod
    def from_amzn(cls, value: str) -> TraceContext | None:
        """Reads ``Root=...;Parent=...;Sampled=...``, in any order, past fields of other names, such as Self and Lineage."""
        if len(value) > _LONGEST:
            return None
        fields: dict[str, str] = {}
        for field in value.split(";"):
            name, _, given = field.partition("=")
            key = name.strip().lower()
            if key in _KNOWN and fields.setdefault(key, given.strip().lower()) != given.strip().lower():
                return None  # it contradicts itself
        root = _ROOT.fullmatch(fields.get("root", ""))
        parent_id, sampled = fields.get("parent"), fields.get("sampled", "?")
        if root is None or sampled not in _SAMPLED:
            return None
        try:
            return cls(root[1] + root[2], parent_id, _SAMPLED[sampled])
        except ValueError:
            return None

    @property
    def xray_trace_id(self) -> str:
        """The trace id as X-Ray writes it."""
        return f"1-{self.trace_id[:8]}-{self.trace_id[8:]}"

    @property
    def traceparent(self) -> str | None:
        """None without a parent, which this form cannot leave out. It knows no doubt either: undecided is not sampled."""
        if self.parent_id is None:
            return None
        return f"00-{self.trace_id}-{self.parent_id}-{'01' if self.sampled else '00'}"

    @property
    def amzn_trace_id(self) -> str:
        parts = [f"Root={self.xray_trace_id}"]
        if self.parent_id is not None:
            parts.append(f"Parent={self.parent_id}")
        if self.sampled is not None:
            parts.append(f"Sampled={int(self.sampled)}")
        return ";".join(parts)

    def headers(self) -> dict[str, str]:
        """Both headers, for whoever comes next; only X-Ray's without a parent."""
        traceparent = self.traceparent
        known = {} if traceparent is None else {TRACEPARENT: traceparent}
        return known | {AMZN_TRACE_ID: self.amzn_trace_id}


def _is_zero(digits: str) -> bool:
    return not digits.strip("0")
