"""The Lambda function of a simulated world: environments that come and go, and how an invocation ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kstream.core.delivery.answer import Failure
from kstream.core.errors import BatchUnfinished, ConfigurationError
from kstream.testing.events import LambdaContext
from kstream.testing.simulator.world import Dead

if TYPE_CHECKING:
    from collections.abc import Callable

    from kstream.testing.simulator.simulation import Environment
    from kstream.testing.simulator.truth import Truth
    from kstream.testing.simulator.world import Invocation, World

_COLD_STARTS = 0.1


class Function:
    """``build`` makes the Lambda handler of a new environment. An environment works on one invocation at a time."""

    def __init__(
        self, world: World, truth: Truth, build: Callable[[], Environment], *, timeout: float, raises: bool
    ) -> None:
        self._world = world
        self._truth = truth
        self._build = build
        self._timeout = timeout
        self._raises = raises
        self._idle: list[Environment] = []

    def invoke(self, event: dict[str, Any], invocation: Invocation) -> object:
        """What the function answers, or a ``Failure`` if it does not."""
        world = self._world
        if world.at_work:
            world.counts["at once"] += 1
        environment = self._started()
        if environment is None:
            return Failure("the function could not start")
        world.at_work.append(invocation)
        survives = False
        try:
            world.step("before the invocation")
            invocation.kill_at = world.clock.monotonic() + self._timeout
            answer = environment(event, LambdaContext(clock=world.clock, timeout=self._timeout))
            world.step("after the answer was computed")
            survives = True
        except Dead:
            return Failure("the process ended")
        except SystemExit:
            world.counts["exits"] += 1
            return Failure("the handler ended its process")
        except BatchUnfinished as error:
            survives = True
            if not self._raises:
                self._truth.violated("raised", f'answer="partial" raised {error!r}')
            return Failure(str(error))
        except Exception as error:  # noqa: BLE001 - whatever the code under test raises is the finding
            self._truth.violated("raised", f"the Lambda handler raised {error!r}", error)
            return Failure(repr(error))
        finally:
            world.at_work.pop()
            for transaction in invocation.transactions:
                transaction.rollback()  # a store does that when it loses its client
            if survives:
                self._idle.append(environment)
            else:
                environment.close()
        return answer

    def close(self) -> None:
        for environment in self._idle:
            environment.close()
        self._idle.clear()

    def _started(self) -> Environment | None:
        """An environment; None, and a violation, if the handler could not be opened in it."""
        try:
            return self._environment()
        except ConfigurationError:
            raise  # a consumer that cannot work anywhere
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the code under test raises is the finding
            self._truth.violated("raised", f"the function could not start: {error!r}", error)
            return None

    def _environment(self) -> Environment:
        if self._idle:
            environment = self._idle.pop()
            if self._world.random.random() >= _COLD_STARTS:
                return environment
            environment.close()
        return self._build()
