"""What may go wrong in a simulated world, and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from kstream.core.errors import ConfigurationError
from kstream.core.given import check_number

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Chances from 0 (never, the default of each) to 1 (on every occasion).

    At any step of an invocation (before and after reading the ledger, each effect, each dead letter, each write, each
    commit, and after the answer was computed):

    ``crash``          the process is gone, with all that was in its memory.
    ``duplicate``      the same batch is delivered a second time while the first delivery is still at work.
    ``restart``        the event source mapping starts over from its stored checkpoint; what is in flight works on.

    For each record that a handler is given:

    ``timeout``        it takes longer than the function has: the process is killed, before or after the effect.
    ``slow``           it takes three tenths of the function's time, so that deadlines come.
    ``exit``           the handler ends its process in an orderly way, by ``SystemExit``.
    ``transient``      it fails once or twice, then succeeds.
    ``persistent``     it fails 3 to 12 times, which is longer than most retries in place, then succeeds.
    ``poison``         it raises ``Reject``, always.

    For each call:

    ``ledger_reads``   ``LedgerError``.
    ``ledger_writes``  ``LedgerError``, with nothing written, or a part, or all.
    ``dead_letters``   ``DeadLetterError``, with the letter stored or not.
    ``on_failure``     the mapping's on-failure destination refuses a discard.
    ``lost_answer``    the invocation ended well and the mapping never hears of it.

    What befalls the stream:

    ``aggregates``     user records travel in KPL aggregates, some of them empty.
    ``malformed``      an aggregate that contradicts itself comes in between.
    ``reshards``       how many times a shard is split, or two are merged, in mid-stream. A count, not a chance.

    After ``limit`` faults (of those that are chances on occasions, not of records) the world is calm, so that each
    history comes to an end.
    """

    crash: float = 0.0
    duplicate: float = 0.0
    restart: float = 0.0
    timeout: float = 0.0
    slow: float = 0.0
    exit: float = 0.0
    transient: float = 0.0
    persistent: float = 0.0
    poison: float = 0.0
    ledger_reads: float = 0.0
    ledger_writes: float = 0.0
    dead_letters: float = 0.0
    on_failure: float = 0.0
    lost_answer: float = 0.0
    aggregates: float = 0.0
    malformed: float = 0.0
    reshards: int = 0
    limit: int = 25

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            counts = field.name in ("reshards", "limit")
            check_number(f"Faults({field.name}", value, least=0, whole=counts, what="" if counts else "a chance")
            if not counts and value > 1:
                raise ConfigurationError(f"Faults({field.name}={value!r}): a chance, at most 1")

    @classmethod
    def drawn(cls, random: Random) -> Faults:
        """Some of all faults, each often enough to matter. Which ones and how often, ``random`` says.

        Leaving some out in each history finds more than a little of everything: faults mask each other.
        """

        def maybe(*chances: float) -> float:
            return random.choice(chances) if random.random() < 0.5 else 0.0

        return cls(
            crash=maybe(0.01, 0.04),
            duplicate=maybe(0.01, 0.03),
            restart=maybe(0.005, 0.02),
            timeout=maybe(0.02, 0.05),
            slow=maybe(0.1, 0.4),
            exit=maybe(0.02),
            transient=maybe(0.1, 0.3),
            persistent=maybe(0.05, 0.15),
            poison=maybe(0.05, 0.2),
            ledger_reads=maybe(0.1, 0.4),
            ledger_writes=maybe(0.1, 0.4),
            dead_letters=maybe(0.2, 0.6),
            on_failure=maybe(0.3),
            lost_answer=maybe(0.05, 0.2),
            aggregates=maybe(0.3, 0.7),
            malformed=maybe(0.05),
            reshards=random.choice((1, 2, 3)) if random.random() < 0.4 else 0,
        )
