"""The bases that users subclass."""

from __future__ import annotations

from typing import Any

import pytest

from kstream.core.handler import BatchHandler, Handler, TransactionalHandler
from kstream.core.record import Record


@pytest.mark.parametrize("base", [Handler, BatchHandler, TransactionalHandler])
def test_process_must_be_written(base: type[Any]) -> None:
    with pytest.raises(TypeError, match="process"):
        base()


def test_beginning_end_and_key_may_be_left_out() -> None:
    class Least(Handler):
        def process(self, record: Record) -> None: ...

    handler = Least()
    handler.open()
    handler.close()
    assert handler.idempotency_key(Record(b"")) is None
