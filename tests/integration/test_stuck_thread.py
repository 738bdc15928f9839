"""A handler that never returns does not keep its process alive."""

from __future__ import annotations

import subprocess
import sys

STUCK = """
import threading
from kstream import Consumer, Handler, on_lambda
from kstream.clock import SystemClock
from kstream.core.lambda_context import LambdaContext
from kstream.testing.events import kinesis_event

class Stuck(Handler):
    def process(self, record):
        threading.Event().wait()

handle = on_lambda(Consumer(Stuck, max_workers=2))
print(handle(kinesis_event([b"x"]), LambdaContext(clock=SystemClock(), timeout=0.5)))
"""


def test_a_process_ends_although_a_thread_of_its_handler_is_stuck() -> None:
    """Ctrl-C, too, ends with the interpreter waiting for what it thinks it must."""
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=120, check=True)
    assert "itemIdentifier" in ended.stdout
