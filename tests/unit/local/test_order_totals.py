"""The example that the documentation starts with does what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kstream.local.finding import example_record, stream_name_for
from kstream.local.loading import load
from kstream.local.target import target_of
from kstream.testing.events import LambdaContext, kinesis_event

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "order_totals.py"


def test_it_adds_up_and_takes_the_record_that_it_offers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    target = target_of(str(EXAMPLE))
    handler = load(target)
    offered = json.loads(example_record(target))

    answer = handler(kinesis_event([(offered, "c-7"), (offered, "c-7")]), LambdaContext())

    assert answer == {"batchItemFailures": []}
    assert capsys.readouterr().out == "c-7: 12.50\nc-7: 25.00\n"
    assert (handler.consumer.name, stream_name_for(target)) == ("OrderTotals", "order-totals")
