"""Whether a handler, its consumer's policies and its stores go together: told before anything is built, where it can be."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.core.handler import BatchHandler, TransactionalHandler
from kstream.core.idempotency import has_keys
from kstream.core.ports import TransactionalLedger

if TYPE_CHECKING:
    from typing import TypeAlias

    from kstream.core.consumer import AnyHandler, Consumer, LedgerMode

    Kind: TypeAlias = AnyHandler | type[AnyHandler]
    """A handler, or its class: what is asked of it here, either can tell."""


def mode_of(consumer: Consumer, handler: Kind) -> LedgerMode:
    """How the ledger is written. Raises ``ConfigurationError`` where handler, policies and stores contradict each other."""
    check_policies(consumer, handler)
    check_stores(consumer, handler)
    return "transactional" if _is(handler, TransactionalHandler) else consumer.mode or "sparse"


def check_policies(consumer: Consumer, handler: Kind) -> None:
    """What can be said while the ledger may still be to come. Raises ``ConfigurationError``."""
    transactional = _is(handler, TransactionalHandler)
    if transactional and consumer.mode not in (None, "transactional"):
        raise ConfigurationError(
            f"{consumer.name}: mode={consumer.mode!r} with a TransactionalHandler, whose mode is 'transactional'"
        )
    if not transactional and consumer.mode == "transactional":
        raise ConfigurationError(
            f"{consumer.name}: mode='transactional' needs a TransactionalHandler, whose process(record, transaction) "
            "puts its effects into the transaction"
        )
    if transactional and consumer.save_every is not None:
        raise ConfigurationError(
            f"{consumer.name}: save_every={consumer.save_every} with a TransactionalHandler, whose ledger is written with "
            "each effect: leave it out"
        )
    if transactional and consumer.ledger is not None:
        _check_transactions(consumer)
    _check_process(consumer, handler)
    if has_keys(handler) and inspect.iscoroutinefunction(getattr(handler, "idempotency_key", None)):
        raise ConfigurationError(f"{consumer.name}: idempotency_key is async def: make it def, it reads a record alone")


def check_stores(consumer: Consumer, handler: Kind) -> None:
    """What can be said once ledger and dead letters are there that there will be, or none. Raises ``ConfigurationError``."""
    if consumer.dead_letters is None and consumer.retry.exhausted == "dead_letter":
        raise ConfigurationError(
            f"{consumer.name}: Retry(exhausted='dead_letter') parks what is used up, and there is no sink: give "
            "dead_letters=, or set KSTREAM_DEAD_LETTERS"
        )
    if _is(handler, TransactionalHandler):
        _check_transactions(consumer)
    if consumer.ledger is not None:
        return
    if consumer.mode is not None or consumer.save_every is not None:
        raise ConfigurationError(
            f"{consumer.name}: mode= and save_every= say how a ledger is written, and there is none: give ledger=, or set "
            "KSTREAM_LEDGER"
        )
    if has_keys(handler):
        raise ConfigurationError(
            f"{consumer.name}: idempotency_key needs a ledger that remembers keys: give ledger=, or set KSTREAM_LEDGER"
        )


def _check_transactions(consumer: Consumer) -> None:
    if not isinstance(consumer.ledger, TransactionalLedger):
        raise ConfigurationError(
            f"{consumer.name}: a TransactionalHandler needs a ledger with transactions, such as SQLiteLedger(path); "
            f"this one has {consumer.ledger!r}"
        )


def _check_process(consumer: Consumer, handler: Kind) -> None:
    process = handler.process
    if inspect.isasyncgenfunction(process) or (inspect.isgeneratorfunction(process) and not _is(handler, BatchHandler)):
        raise ConfigurationError(f"{consumer.name}: process has a yield in it, so calling it runs nothing: take it out")
    if _is(handler, BatchHandler) and consumer.max_workers > 1:
        raise ConfigurationError(
            f"{consumer.name}: max_workers={consumer.max_workers} runs keys side by side, and a BatchHandler takes "
            "the whole batch in one call: leave it out, or write a Handler"
        )
    if _is(handler, TransactionalHandler) and inspect.iscoroutinefunction(process):
        raise ConfigurationError(f"{consumer.name}: a TransactionalHandler's process is def, not async def")
    _check_parameters(consumer, handler)
    if inspect.iscoroutinefunction(handler.open) or inspect.iscoroutinefunction(handler.close):
        raise ConfigurationError(f"{consumer.name}: open and close are called, and not awaited: make them def")
    if _is(handler, BatchHandler) and hasattr(handler, "idempotency_key"):
        raise ConfigurationError(
            f"{consumer.name}: a BatchHandler is not asked for an idempotency_key: write a Handler instead"
        )


def _check_parameters(consumer: Consumer, handler: Kind) -> None:
    given = ("record", "transaction") if _is(handler, TransactionalHandler) else ("record",)
    if _is(handler, BatchHandler):
        given = ("records",)
    try:
        signature = inspect.signature(handler.process)
    except ValueError:
        return  # a callable in C, which says nothing of itself
    itself = isinstance(handler, type) and inspect.isfunction(handler.process)
    try:
        signature.bind(*(None for _ in range(len(given) + itself)))
    except TypeError as error:
        raise ConfigurationError(
            f"{consumer.name}: process{signature} is called as process({', '.join(given)}): {error}"
        ) from None


def _is(handler: Kind, kind: type) -> bool:
    return issubclass(handler, kind) if isinstance(handler, type) else isinstance(handler, kind)
