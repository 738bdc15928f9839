"""The environment, read once. No other module of the library reads it.

======================================  ================================================================================
``AWS_LAMBDA_FUNCTION_NAME``            set by Lambda: this process is a Lambda environment
``KSTREAM_LEDGER``                      for consumers that name none: ``sqlite:PATH`` or ``dynamodb:TABLE``
``KSTREAM_DEAD_LETTERS``                for consumers that name none: ``dir:PATH``, ``sqs:URL``, ``s3:BUCKET/PREFIX`` or
                                        ``kinesis:STREAM``
======================================  ================================================================================
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. An empty variable counts as unset."""

    in_lambda: bool = False
    ledger: str | None = None
    dead_letters: str | None = None

    @classmethod
    def from_environment(cls) -> Settings:
        return cls(
            in_lambda=bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME")),
            ledger=os.environ.get("KSTREAM_LEDGER") or None,
            dead_letters=os.environ.get("KSTREAM_DEAD_LETTERS") or None,
        )
