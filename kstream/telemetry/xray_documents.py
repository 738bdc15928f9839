"""What goes into X-Ray's documents: no more than they hold, nothing of a handler's in kstream's place, no text that is to
be kept out.

X-Ray takes documents of 64 kB, each in one datagram; the SDK logs that a larger one cannot be sent, and drops it.
"""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from kstream.telemetry.notes import key_of, value_of

if TYPE_CHECKING:
    from aws_xray_sdk.core.models.entity import Entity

MOST_BYTES = 64_000

NAMESPACE = "kstream"
"""Of the metadata."""

LEFT_OUT = "left_out_for_size"
"""Of the metadata: how many annotations, and namespaces of metadata, the document could not hold."""

_OUR_ANNOTATIONS = frozenset(
    {
        "consumer",
        "stream",
        "shard",
        "first_sequence_number",
        "last_sequence_number",
        "sequence_number",
        "producer",
        "outcome",
    }
)
_OUR_METADATA = frozenset(
    {
        "request_id",
        "producers",
        "producer",
        "outcome",
        "error_type",
        "attempts_without_a_subsegment",
        "sequence_number",
        "sub_sequence_number",
        "partition_key",
        "attempt",
    }
)
_MOST_ANNOTATIONS = 48
"""Of one document, before kstream's last two: X-Ray indexes 50 of a whole trace."""
_LONGEST_KEY = 250
LONGEST_VALUE = 250
"""Characters. X-Ray takes more, but not fifty times as many in one document."""
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_]")
_ROOM_FOR_NOTE = 200


def annotate(entity: Entity, key: str, value: str | float | bool) -> None:
    """Adds a handler's annotation, in X-Ray's letters. Nothing if the document is sent, or full.

    By the name of one of kstream's own it is called ``handler_`` and that name.
    """
    key = _NOT_IN_KEYS.sub("_", key_of(key))[:_LONGEST_KEY]
    if key in _OUR_ANNOTATIONS:
        key = f"handler_{key}"
    if entity.in_progress and (key in entity.annotations or len(entity.annotations) < _MOST_ANNOTATIONS):
        entity.annotations[key] = value_of(value, LONGEST_VALUE)


def hide_messages(entity: Entity) -> None:
    """Leaves of errors, in this document and beneath it, only what they were and where."""
    if isinstance(entity.cause, dict):
        for error in entity.cause.get("exceptions", ()):
            error.message = ""
    for inner in list(entity.subsegments):
        hide_messages(inner)


def send(emitter: Any, entity: Entity) -> None:
    """Sends this document, and what stands beneath it: by itself, if one document cannot hold all.

    What is too large even so loses first its metadata, then annotations of the handler's, then all that is not kstream's;
    it says so under ``LEFT_OUT``. The entity stays as it is: the SDK may be at work on it.
    """
    if (text := _written(entity)) is not None:
        emitter.send_entity(_Written(entity, text))
        return
    alone, text = _alone(entity)
    # Before the others: a daemon that cannot keep up loses what comes last.
    emitter.send_entity(_Written(alone, text) if text is not None else alone)
    for inner in list(entity.subsegments):
        send(emitter, inner)


class _Written:
    """An entity with its document, which was written to be measured, and need not be once more to be sent."""

    def __init__(self, entity: Entity, text: str) -> None:
        self._entity = entity
        self._text = text

    def serialize(self) -> str:
        return self._text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entity, name)


def _written(entity: Entity) -> str | None:
    """None if it is too large, or holds what cannot be written."""
    try:
        text: str = entity.serialize()
        return text if len(text.encode()) <= MOST_BYTES else None
    except Exception:  # noqa: BLE001 - a handler's own objects are in it; what they spoil is left out, and said to be
        return None


def _alone(entity: Entity) -> tuple[Entity, str | None]:
    alone = copy.copy(entity)
    alone.subsegments = []
    text = _written(alone)
    left_out: dict[str, int] = {}
    for part, leave_out in (
        ("metadata", _without_metadata),
        ("annotations", _without_annotations),
        ("others", _without_others),
    ):
        if text is not None:
            break
        if count := leave_out(alone):
            left_out[part] = count
            known = alone.metadata.get(NAMESPACE, {})
            alone.metadata = {**alone.metadata, NAMESPACE: {**known, LEFT_OUT: dict(left_out)}}
        text = _written(alone)
    return alone, text


def _without_metadata(alone: Entity) -> int:
    before = alone.metadata
    alone.metadata = {NAMESPACE: before[NAMESPACE]} if NAMESPACE in before else {}
    return len(before) - len(alone.metadata)


def _without_annotations(alone: Entity) -> int:
    before = alone.annotations
    alone.annotations = {key: value for key, value in before.items() if key in _OUR_ANNOTATIONS}
    if (text := _written(alone)) is not None:
        room = MOST_BYTES - _ROOM_FOR_NOTE - len(text)
        for key, value in before.items():
            room -= len(json.dumps({key: value}, default=str))
            if room < 0:
                break
            alone.annotations[key] = value
    return len(before) - len(alone.annotations)


def _without_others(alone: Entity) -> int:
    known = alone.metadata.get(NAMESPACE, {})
    kept = {key: value for key, value in known.items() if key in _OUR_METADATA or key == LEFT_OUT}
    alone.metadata = {NAMESPACE: kept}
    count = len(known) - len(kept)
    for name in ("cause", "http", "aws", "sql"):
        if getattr(alone, name, None):
            setattr(alone, name, {})
            count += 1
    return count
