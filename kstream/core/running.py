"""Which way of running a batch a handler asks for, and whether its consumer's policies allow it."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Protocol

from kstream.core.errors import ConfigurationError
from kstream.core.handler import BatchHandler, RecordHandler, TransactionalHandler
from kstream.core.idempotency import has_keys
from kstream.core.inline import BatchRunner, InlineRunner, run_lane
from kstream.core.ports import TransactionalLedger
from kstream.core.threads import ThreadRunner

if TYPE_CHECKING:
    from kstream.core.consumer import AnyHandler, Consumer, LedgerMode
    from kstream.core.inline import Lane
    from kstream.core.run import Run


class Runner(Protocol):
    """A way of running a batch: when ``run`` returns, its progress is final but for what outlived the deadline."""

    def run(self, run: Run) -> None: ...
    def close(self) -> None: ...


def mode_of(consumer: Consumer, handler: AnyHandler) -> LedgerMode:
    """How the ledger is written. Raises ``ConfigurationError`` where handler, mode and ledger contradict each other."""
    transactional = isinstance(handler, TransactionalHandler)
    if transactional and consumer.mode not in (None, "transactional"):
        raise ConfigurationError(
            f"{consumer.name}: mode={consumer.mode!r} with a TransactionalHandler, whose mode is 'transactional'"
        )
    if not transactional and consumer.mode == "transactional":
        raise ConfigurationError(
            f"{consumer.name}: mode='transactional' needs a TransactionalHandler, whose process(record, transaction) "
            "puts its effects into the transaction"
        )
    if transactional and not isinstance(consumer.ledger, TransactionalLedger):
        raise ConfigurationError(
            f"{consumer.name}: a TransactionalHandler needs a ledger with transactions, such as SQLiteLedger(path); "
            f"this one has {consumer.ledger!r}"
        )
    if consumer.ledger is None and (consumer.mode is not None or consumer.save_every is not None):
        raise ConfigurationError(
            f"{consumer.name}: mode= and save_every= say how a ledger is written, and there is none: give ledger=, or set "
            "KSTREAM_LEDGER"
        )
    if has_keys(handler):
        _check_keys(consumer, handler)
    return "transactional" if transactional else consumer.mode or "sparse"


def _check_keys(consumer: Consumer, handler: AnyHandler) -> None:
    assert isinstance(handler, RecordHandler)
    if consumer.ledger is None:
        raise ConfigurationError(
            f"{consumer.name}: idempotency_key needs a ledger that remembers keys: give ledger=, or set KSTREAM_LEDGER"
        )
    if inspect.iscoroutinefunction(handler.idempotency_key):
        raise ConfigurationError(f"{consumer.name}: idempotency_key is async def: make it def, it reads a record alone")


def runner_for(consumer: Consumer, handler: AnyHandler) -> Runner:
    """The runner for this kind of handler. Raises ``ConfigurationError`` for policies that it cannot follow."""
    asynchronous = inspect.iscoroutinefunction(handler.process)
    if inspect.isasyncgenfunction(handler.process) or (
        inspect.isgeneratorfunction(handler.process) and not isinstance(handler, BatchHandler)
    ):
        raise ConfigurationError(f"{consumer.name}: process has a yield in it, so calling it runs nothing: take it out")
    if isinstance(handler, BatchHandler):
        if consumer.max_workers > 1:
            raise ConfigurationError(
                f"{consumer.name}: max_workers={consumer.max_workers} runs keys side by side, and a BatchHandler takes "
                "the whole batch in one call: leave it out, or write a Handler"
            )
        return _async_runner(batch_handler=True) if asynchronous else BatchRunner()
    lane: Lane = run_lane
    if isinstance(handler, TransactionalHandler):
        if asynchronous:
            raise ConfigurationError(f"{consumer.name}: a TransactionalHandler's process is def, not async def")
        lane = _transactional_lane(consumer)
    elif asynchronous:
        return _async_runner(batch_handler=False)
    return ThreadRunner(lane, consumer.max_workers) if consumer.max_workers > 1 else InlineRunner(lane)


def _async_runner(*, batch_handler: bool) -> Runner:
    # Imported for the handlers that need it: asyncio costs more than everything else here.
    from kstream.core.asynchronous import AsyncRunner

    return AsyncRunner(batch_handler=batch_handler)


def _transactional_lane(consumer: Consumer) -> Lane:
    from kstream.core import transactional

    assert isinstance(consumer.ledger, TransactionalLedger)
    return partial(transactional.run_lane, ledger=consumer.ledger)
