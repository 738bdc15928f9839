"""Stores held to their port."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kstream.core.errors import DeadLetterError, LedgerError
from kstream.core.guarded import GuardedLedger, GuardedSink
from kstream.core.ports import Scope

LETTER: Any = None
SCOPE = Scope("consumer", "arn", "shard")


class Speechless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Store:
    """Raises the same whatever it is asked."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def load(self, *given: Any) -> Any:
        raise self.error

    save = load_keys = save_keys = put = load


CALLS = [
    (LedgerError, lambda store: GuardedLedger(store).load(SCOPE, 1, 2)),
    (LedgerError, lambda store: GuardedLedger(store).save(SCOPE, {})),
    (LedgerError, lambda store: GuardedLedger(store).load_keys(SCOPE, ())),
    (LedgerError, lambda store: GuardedLedger(store).save_keys(SCOPE, ())),
    (DeadLetterError, lambda store: GuardedSink(store).put(LETTER)),
]


@pytest.mark.parametrize(("allowed", "call"), CALLS)
def test_what_the_port_allows_passes_as_it_is(allowed: type[Exception], call: Any, caplog: Any) -> None:
    error = allowed("full")
    with pytest.raises(allowed) as raised:
        call(Store(error))
    assert raised.value is error
    assert caplog.messages == []


@pytest.mark.parametrize(("allowed", "call"), CALLS)
@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), Speechless(), EOFError()], ids=repr)
def test_anything_else_becomes_the_port_s_error_with_its_cause(allowed: Any, call: Any, error: Exception) -> None:
    with pytest.raises(allowed, match=f"raised .*{type(error).__name__}") as raised:
        call(Store(error))
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(("_", "call"), CALLS)
def test_an_exit_is_an_exit(_: Any, call: Any) -> None:
    with pytest.raises(SystemExit):
        call(Store(SystemExit()))


def test_only_the_first_of_a_kind_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    store = Store(ZeroDivisionError())
    sink = GuardedSink(store)
    for error in (ZeroDivisionError(), ZeroDivisionError(), KeyError(), KeyError()):
        store.error = error
        with pytest.raises(DeadLetterError):
            sink.put(LETTER)
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert all(record.exc_info for record in caplog.records)


class Answers:
    """Answers the same whatever it is asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def load(self, *given: Any) -> Any:
        return self.answer() if callable(self.answer) else self.answer

    save = load_keys = save_keys = put = load


async def later() -> None: ...


@pytest.mark.parametrize("answer", [False, later], ids=["False", "an awaitable"])
def test_a_sink_that_does_not_say_that_it_stored_the_letter_has_not(answer: Any) -> None:
    """A record counts as set aside only then; taken for success, it would be lost."""
    with pytest.raises(DeadLetterError, match=r"put|load"):
        GuardedSink(Answers(answer)).put(LETTER)


@pytest.mark.parametrize("answer", [None, 5, [1], "123", later], ids=["None", "5", "a list", "text", "an awaitable"])
def test_a_ledger_s_answer_that_is_none_is_its_failure(answer: Any) -> None:
    """Text is a collection too, of letters: it would take every record whose key is one of them for done."""
    ledger = GuardedLedger(Answers(answer))
    with pytest.raises(LedgerError, match="sequence numbers with their bitmaps"):
        ledger.load(SCOPE, 1, 2)
    with pytest.raises(LedgerError, match="which of the keys it knows"):
        ledger.load_keys(SCOPE, ["1"])


@pytest.mark.parametrize(
    "answer",
    [{"1": 1}, {1: "1"}, {1: None}, {1: 1.0}, {1: -1}, {1: -(1 << 63)}, {1: 1, 2: None}],
    ids=repr,
)
def test_positions_that_are_none_are_the_ledger_s_failure(answer: Any) -> None:
    """A negative number has every bit set beyond its own: records that were never done would be skipped."""
    with pytest.raises(LedgerError, match="sequence numbers with their bitmaps"):
        GuardedLedger(Answers(answer)).load(SCOPE, 1, 2)


@pytest.mark.parametrize("answer", [{"1": False}, [("1",)], [b"1"], [None]], ids=repr)
def test_keys_that_are_none_are_the_ledger_s_failure(answer: Any) -> None:
    """A mapping from each key to whether it is known would take them all for known."""
    with pytest.raises(LedgerError, match="which of the keys it knows"):
        GuardedLedger(Answers(answer)).load_keys(SCOPE, ["1"])


@pytest.mark.parametrize("answer", [False, later], ids=["False", "an awaitable"])
def test_a_ledger_that_does_not_say_that_it_saved_has_not(answer: Any) -> None:
    ledger = GuardedLedger(Answers(answer))
    with pytest.raises(LedgerError, match="not None, with it saved"):
        ledger.save(SCOPE, {1: 1})
    with pytest.raises(LedgerError, match="not None, with it saved"):
        ledger.save_keys(SCOPE, ["1"])
