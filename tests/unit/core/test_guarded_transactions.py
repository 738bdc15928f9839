"""A transactional ledger of a user's own, held to its port: what is its handler's passes, what is its own degrades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kstream.core.consumer import Consumer
from kstream.core.errors import ConditionFailed, LedgerError, Reject
from kstream.core.guarded_transactions import GuardedTransactionalLedger
from kstream.core.handler import TransactionalHandler
from kstream.core.patience import Patience
from kstream.core.ports import Scope
from kstream.core.record import Position
from kstream.core.retry import Retry
from kstream.testing.simulator import SimulatedTransactions
from tests.support.processing import Letters, Telling, batch, entry, processor_of

if TYPE_CHECKING:
    from kstream.core.record import Record

SCOPE = Scope("consumer", "arn", "shard")
ONE = Position(1)


class Driver(Exception):
    """What a database driver raises, and a ledger of a user's own lets through."""


class Own(SimulatedTransactions):
    """Fails at one of its methods, with ``error``; or gives ``answer`` there."""

    def __init__(self, at: str, error: Exception | None = None, answer: Any = None) -> None:
        super().__init__()
        self.at = at
        self.error = error
        self.answer = answer

    def begin(self, scope: Scope) -> Any:
        if self.at == "begin":
            self.fail()
        transaction: Any = super().begin(scope)
        if self.at != "begin":
            sound = getattr(transaction, self.at)
            setattr(transaction, self.at, lambda *given: self.after(sound, *given))
        return transaction

    def after(self, sound: Any, *given: Any) -> Any:
        sound(*given)
        return self.fail()

    def fail(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer


def guarded(ledger: Any) -> GuardedTransactionalLedger:
    return GuardedTransactionalLedger(ledger)


@pytest.mark.parametrize("at", ["begin", "apply"])
@pytest.mark.parametrize("error", [Driver("gone"), ConnectionError("gone"), AttributeError("gone")], ids=repr)
def test_what_a_store_raises_by_itself_is_a_ledger_error_with_its_cause(at: str, error: Exception) -> None:
    with pytest.raises(LedgerError, match=f"raised .*{type(error).__name__}.*gone") as raised:
        guarded(Own(at, error)).begin(SCOPE).apply(ONE, None, lambda own: None)
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [Driver("a constraint"), Reject("poison"), LedgerError("down")], ids=repr)
def test_what_an_effect_raises_passes(error: Exception) -> None:
    def effect(own: Any) -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        guarded(SimulatedTransactions()).begin(SCOPE).apply(ONE, None, effect)
    assert raised.value is error


@pytest.mark.parametrize("error", [ConditionFailed("no"), Driver("deferred"), LedgerError("down")], ids=repr)
def test_what_a_commit_raises_is_an_effect_s_fault_unless_it_is_a_ledger_error(error: Exception) -> None:
    transaction = guarded(Own("commit", error)).begin(SCOPE)
    with pytest.raises(type(error)) as raised:
        transaction.commit()
    assert raised.value is error


@pytest.mark.parametrize(("at", "answer"), [("apply", None), ("apply", "yes"), ("commit", 7), ("commit", True)])
def test_an_answer_that_is_none_is_a_ledger_error(at: str, answer: Any) -> None:
    transaction = guarded(Own(at, answer=answer)).begin(SCOPE)
    calls: dict[str, Any] = {
        "apply": lambda: transaction.apply(ONE, None, lambda own: None),
        "commit": transaction.commit,
    }
    with pytest.raises(LedgerError, match=f"returned {answer!r}, not"):
        calls[at]()


def test_a_rollback_that_raises_harms_nobody_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    guarded(Own("rollback", Driver("gone"))).begin(SCOPE).rollback()
    assert ["raised what its port does not allow" in message for message in caplog.messages] == [True]


def test_an_exit_is_an_exit() -> None:
    def effect(own: Any) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        guarded(SimulatedTransactions()).begin(SCOPE).apply(ONE, None, effect)


class Adds(TransactionalHandler[Any]):
    def process(self, record: Record, transaction: Any) -> None:
        transaction.add("count", 1)


@pytest.mark.parametrize("at", ["begin", "apply", "rollback"])
def test_a_ledger_that_breaks_its_port_fails_no_record(at: str) -> None:
    """With Retry as strict as it gets: a store's failure must not send a sound record to the dead letters."""
    told, letters = Telling(), Letters()
    ledger = Own(at, Driver("gone"))
    strict = Retry(attempts=1, exhausted="dead_letter")
    consumer = Consumer(Adds, ledger=ledger, retry=strict, dead_letters=letters)
    processor = processor_of(consumer, telemetry=told)
    outcome = processor.process(batch(entry(1), entry(2)))
    assert (outcome.failed, outcome.dead_lettered, letters.stored) == (0, 0, [])
    if at == "rollback":
        assert outcome.complete
    else:
        assert (outcome.checkpoint, outcome.unfinished, len(told.ledger)) == ("1", 2, 1)
    ledger.at = "nowhere"
    ledger.begin = lambda scope: SimulatedTransactions.begin(ledger, scope)  # type: ignore[method-assign]
    assert processor.process(batch(entry(1), entry(2))).complete
    assert ledger.table == {"count": 2}


class Hurried(SimulatedTransactions):
    hurried: Patience | None = None

    def within(self, patience: Patience) -> Any:
        other = Hurried()
        other.hurried = patience
        return other


def test_it_is_hurried_if_it_can_be() -> None:
    patience = Patience(lambda: 1.0)
    plain, waiting = guarded(SimulatedTransactions()), guarded(Hurried())
    assert plain.within(patience) is plain
    hurried = waiting.within(patience)
    assert isinstance(hurried, GuardedTransactionalLedger)
    assert hurried is not waiting
    assert hurried._ledger.hurried is patience  # type: ignore[attr-defined]
    assert waiting._ledger.hurried is None  # type: ignore[attr-defined]


def test_one_that_fails_to_be_hurried_is_used_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(SimulatedTransactions):
        def within(self, patience: Patience) -> Any:
            raise Driver("no")

    ledger = guarded(Broken())
    assert ledger.within(Patience(lambda: 1.0)) is ledger
    assert len(caplog.messages) == 1
