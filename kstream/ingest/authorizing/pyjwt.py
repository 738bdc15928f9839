"""PyJWT, loaded when the first token is to be verified, and found missing when the authorizer is built."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kstream.core.errors import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

_MINIMUM = (2, 13)
_REMEDY = "pip install 'kstream[jwt]'"


@cache
def pyjwt() -> ModuleType:
    """The module ``jwt``. Raises ``ConfigurationError`` if it, or the cryptography behind it, is missing or too old."""
    try:
        import cryptography  # noqa: F401 - without it PyJWT knows only shared secrets
        import jwt
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"verifying JWTs needs PyJWT with cryptography: {_REMEDY}") from error
    found = tuple(map(int, re.findall(r"\d+", jwt.__version__)[:2]))
    if found < _MINIMUM:
        minimum = ".".join(map(str, _MINIMUM))
        raise ConfigurationError(f"PyJWT {jwt.__version__} is installed, and {minimum} is needed: {_REMEDY}")
    module: Any = jwt
    return module  # type: ignore[no-any-return]
