from __future__ import annotations

from tests.golden.deploy import write

write()
