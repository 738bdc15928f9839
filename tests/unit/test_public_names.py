"""The public names: all of them load, each says where it lives, and type checkers see the same ones."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kstream
import kstream.ingest
import kstream.telemetry
import kstream.testing

if TYPE_CHECKING:
    from types import ModuleType

# What the README and the design promise from ``kstream`` itself.
PROMISED = {
    "AsyncIngestClient",
    "BatchHandler",
    "CircuitBreaker",
    "Consumer",
    "DirectoryDeadLetters",
    "DynamoDBLedger",
    "EventSourceMapping",
    "Handler",
    "IngestClient",
    "KinesisDeadLetters",
    "KstreamError",
    "MemoryLedger",
    "Record",
    "Reject",
    "Retry",
    "S3DeadLetters",
    "SQLiteLedger",
    "SQSDeadLetters",
    "on_lambda",
}


@pytest.mark.parametrize("name", kstream.__all__)
def test_every_name_loads_from_its_home(name: str) -> None:
    value = getattr(kstream, name)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__module__.startswith("kstream.")
    assert name in dir(kstream)


def test_what_is_promised_is_there() -> None:
    assert set(kstream.__all__) >= PROMISED
    assert len(kstream.__all__) == len(set(kstream.__all__))


@pytest.mark.parametrize(
    "package", [kstream, kstream.ingest, kstream.telemetry, kstream.testing], ids=lambda package: package.__name__
)
def test_type_checkers_see_the_names_that_load(package: ModuleType) -> None:
    """The lazy table and the block for type checkers are two lists of the same."""
    tree = ast.parse(Path(str(package.__file__)).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {
        (alias.asname, node.module) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == set(package._HOMES.items())
    assert {name for name in dir(package) if name in package._HOMES} == package._HOMES.keys()
    for name, home in package._HOMES.items():
        assert getattr(package, name) is getattr(import_module(home), name)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'Nothing'"):
        _ = package.Nothing


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kstream' has no attribute 'Konsumer'"):
        _ = kstream.Konsumer
    with pytest.raises(ImportError):
        from kstream import Konsumer  # noqa: F401


def test_all_names_are_there_without_the_extras() -> None:
    """What needs one says so, and which, when it is used."""
    program = """
import sys
sys.modules["httpx"] = sys.modules["boto3"] = sys.modules["psycopg"] = None
from kstream import *
for client in (IngestClient, AsyncIngestClient):
    try:
        client("http://127.0.0.1:9", stream="orders")
    except ConfigurationError as error:
        print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == [
        "IngestClient needs httpx: pip install 'kstream[ingest]'",
        "AsyncIngestClient needs httpx: pip install 'kstream[ingest]'",
    ]


def test_every_error_is_in_one_tree_but_reject_which_is_the_handler_s() -> None:
    from kstream.core import errors

    for name, kind in vars(errors).items():
        if isinstance(kind, type) and kind.__module__ == errors.__name__:
            assert issubclass(kind, errors.KstreamError | errors.Reject), name
    assert not issubclass(errors.Reject, errors.KstreamError)
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.UndecodableRecord, ValueError)
