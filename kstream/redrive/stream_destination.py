"""Putting records back into a stream, one request for each.

The partition key and the explicit hash key stay. The position is new, and with it the record's ``id``: to a consumer's
ledger it is another record. Headers travel in an aggregate of one, because Kinesis has no place for them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kstream.aws.record_put import NotPut, PutUnknown
from kstream.aws.stream_writer import Written
from kstream.core.aggregation import Aggregate, Aggregator, Malformed, OuterRecord, parse
from kstream.core.aggregation.writing import hash_key_of
from kstream.redrive.destination import Refused, Sent, Unit, Unknown, Work

if TYPE_CHECKING:
    from kstream.aws.record_put import RecordPut
    from kstream.core.dead_letter import DeadLetter
    from kstream.core.ports import Clock
    from kstream.core.record import Record
    from kstream.redrive.destination import Result
    from kstream.redrive.named_records import NamedRecords
    from kstream.redrive.on_failure import OnFailureMessage

_NO_LIMIT = 1 << 62
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)


class StreamDestination:
    """A ``Destination``. What is throttled is put again after a pause: Kinesis has certainly not taken it."""

    doubtful = True

    def __init__(self, stream: str, put: RecordPut, fetch: NamedRecords, *, clock: Clock) -> None:
        self._stream = stream
        self._put = put
        self._fetch = fetch
        self._clock = clock

    @property
    def name(self) -> str:
        return f"stream {self._stream}"

    def objection(self, letter: DeadLetter) -> str | None:
        try:
            outer_of(letter.record)
        except ValueError as error:
            return f"Kinesis would not take it: {error}"
        return None

    def letter(self, letter: DeadLetter) -> Work:
        return Work([Unit("", partial(self._send, outer_of(letter.record)))])

    def message(self, message: OnFailureMessage) -> Work:
        """Kinesis records as they were, aggregates whole."""
        found = self._fetch.of(message)
        units = [Unit(outer.sequence_number, partial(self._put_outer, outer)) for outer in found.batch.outers]
        return Work(units, found.gone)

    def close(self) -> None:
        pass

    def _put_outer(self, outer: Record) -> Result:
        match parse(outer.data):
            case Aggregate() as aggregate if len(aggregate):
                # The shard that the KPL sent it to. Its partition key says nothing: all aggregates have the same.
                first = aggregate.record(outer, 0)
                hash_key = first.explicit_hash_key or hash_key_of(first.partition_key)
                return self._send(OuterRecord(outer.partition_key, hash_key, outer.data))
        return self._send(OuterRecord(outer.partition_key, None, outer.data))

    def _send(self, outer: OuterRecord) -> Result:
        pauses = iter(_PAUSES_S)
        while True:
            result = self._put.put(self._stream, outer.data, outer.partition_key, outer.explicit_hash_key)
            match result:
                case Written(sequence_number, shard_id):
                    return Sent(f"{shard_id}:{sequence_number}")
                case NotPut(reason, throttled):
                    pause = next(pauses, None) if throttled else None
                    if pause is None:
                        return Refused(reason)
                    self._clock.sleep(pause)
                case PutUnknown(lost):
                    return Unknown(lost)


def outer_of(record: Record) -> OuterRecord:
    """The Kinesis record that carries this user record again. Raises ``ValueError`` for keys that Kinesis refuses."""
    if not record.headers and isinstance(parse(record.data), Malformed):
        # It never was a user record, so it goes back as what it is.
        return OuterRecord(record.partition_key, record.explicit_hash_key, record.data)
    one = Aggregator(limit=_NO_LIMIT)
    one.add(record.data, record.partition_key, record.explicit_hash_key, record.headers)
    outer = one.take()
    assert outer is not None
    # Under its own key where it is an aggregate, so that Lambda keeps it in order with the others of that key.
    return outer._replace(partition_key=record.partition_key)
