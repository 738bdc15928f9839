"""Function packages: the same input, the same bytes; what is needed, and nothing else; and they run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any

import pytest

from deploy import package
from deploy.config import load, parse
from deploy.handlers import ANYTHING, names_of
from deploy.package import PackageError, function_package, layer_package, packages
from deploy.wheels import WheelsNotFound, platforms
from kstream.testing.events import kinesis_event
from tests.golden.deploy import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CONSUMER = """
from kstream import Consumer, Handler, on_lambda

class Echo(Handler):
    def process(self, record):
        print(record.text())

lambda_handler = on_lambda(Consumer(Echo))
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one consumer in a package, one alone, and a lock that pip finds here and nowhere else."""
    root = tmp_path / "repository"
    (root / "app" / "orders").mkdir(parents=True)
    (root / "app" / "__init__.py").write_text("")
    (root / "app" / "orders" / "__init__.py").write_text("")
    (root / "app" / "orders" / "consumer.py").write_text(CONSUMER)
    (root / "app" / "orders" / "table.sql").write_text("SELECT 1")
    (root / "app" / "other.py").write_text("raise SystemExit('not asked for')\nlambda_handler = None")
    (root / "alone.py").write_text(CONSUMER)
    wheel = _tenacity(tmp_path / "wheels")
    (root / "function.lock").write_text(f"{wheel[0]} --hash=sha256:{wheel[1]}\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return root


def _tenacity(folder: Path) -> tuple[str, str]:
    """The installed tenacity as a wheel again; its requirement and hash."""
    folder.mkdir()
    found = distribution("tenacity")
    path = folder / f"tenacity-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in found.files or ():
            if (
                "__pycache__" not in file.parts
                and ".." not in file.parts
                and file.name not in ("INSTALLER", "REQUESTED")
            ):
                wheel.writestr(zipfile.ZipInfo(str(file)), file.read_binary())
        wheel.writestr(f"tenacity-{found.version}.data/scripts/tool", "#!python")
    return f"tenacity=={found.version}", hashlib.sha256(path.read_bytes()).hexdigest()


def _wheel(folder: Path, name: str, *files: str) -> tuple[str, str]:
    """A wheel of empty files; its requirement and hash."""
    escaped = name.replace("-", "_")
    path = folder / f"{escaped}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in files:
            wheel.writestr(file, "")
        wheel.writestr(f"{escaped}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{escaped}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{escaped}-1.0.dist-info/RECORD", "")
    return f"{name}==1.0", hashlib.sha256(path.read_bytes()).hexdigest()


def pipeline(**consumer: Any) -> Any:
    handler = {"stream": "orders", "handler": "app.orders.consumer.lambda_handler", "tracing": False, **consumer}
    locks = {"lock": "function.lock", "tracing_lock": "xray.lock"}
    return parse({"name": "shop", **locks, "streams": {"orders": {}}, "consumers": {"totals": handler}})


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_the_same_input_makes_the_same_bytes(root: Path, tmp_path: Path) -> None:
    """Whatever the files' times and the folder's order."""
    first = function_package(pipeline(), "totals", root=root, out=tmp_path / "a")
    for number, file in enumerate(sorted(root.rglob("*"), reverse=True)):
        os.utime(file, (number, number))
    again = function_package(pipeline(), "totals", root=root, out=tmp_path / "b")

    assert first.path.read_bytes() == again.path.read_bytes()
    assert (first.key, first.digest) == (again.key, again.digest)


def test_another_content_is_another_key(root: Path, tmp_path: Path) -> None:
    first = function_package(pipeline(), "totals", root=root, out=tmp_path)
    (root / "app" / "orders" / "table.sql").write_text("SELECT 2")

    assert function_package(pipeline(), "totals", root=root, out=tmp_path).key != first.key


def test_a_package_holds_the_consumer_kstream_and_the_lock_and_nothing_else(root: Path, tmp_path: Path) -> None:
    made = function_package(pipeline(), "totals", root=root, out=tmp_path)
    inside = names(made.path)

    assert inside == sorted(inside)
    assert [name for name in inside if name.startswith("app/")] == [
        "app/__init__.py", "app/orders/__init__.py", "app/orders/consumer.py", "app/orders/table.sql",
    ]  # fmt: skip
    tops = {name.partition("/")[0] for name in inside}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"app", "kstream", "tenacity"}
    parts = {name.split("/")[1] for name in inside if name.startswith("kstream/")}
    assert parts.isdisjoint({"__main__.py", "cli", "local", "testing", "redrive", "__pycache__"})
    assert made.zipped == made.path.stat().st_size
    assert dict(made.largest)["kstream"] > 100_000


@pytest.mark.parametrize(
    ("consumer", "own"),
    [
        ({"handler": "alone.lambda_handler"}, ["alone.py"]),
        ({"handler": "app.other.lambda_handler", "include": ["app/other.py"]}, ["app/__init__.py", "app/other.py"]),
        ({"handler": "app.orders.consumer.Echo", "include": ["app", "alone.py"]}, ["alone.py", "app/__init__.py"]),
    ],
)
def test_what_is_included_can_be_said(root: Path, tmp_path: Path, consumer: dict[str, Any], own: list[str]) -> None:
    inside = names(function_package(pipeline(**consumer), "totals", root=root, out=tmp_path, layered=True).path)

    assert inside[: len(own)] == own
    assert not [name for name in inside if name.startswith("kstream/")]


def test_a_layer_holds_what_the_function_then_does_not(root: Path, tmp_path: Path) -> None:
    whole = set(names(function_package(pipeline(), "totals", root=root, out=tmp_path / "whole").path))
    thin = set(names(function_package(pipeline(), "totals", root=root, out=tmp_path, layered=True).path))
    layer = set(names(layer_package(pipeline(), "totals", root=root, out=tmp_path).path))

    assert {name.removeprefix("python/") for name in layer} | thin == whole
    assert all(name.startswith("python/") for name in layer)


def test_the_file_says_whether_there_is_a_layer_and_one_content_is_one_layer(root: Path, tmp_path: Path) -> None:
    (whole,) = packages(pipeline(), "totals", root=root, out=tmp_path)
    function, layer = packages(pipeline(dependencies="layer"), "totals", root=root, out=tmp_path)

    assert [whole.layer, function.layer, layer.layer] == [False, False, True]
    assert function.key != whole.key
    assert layer.key == f"layers/{layer.digest[:24]}.zip"
    (alone, other) = packages(
        pipeline(dependencies="layer", handler="alone.lambda_handler"), "totals", root=root, out=tmp_path
    )
    assert alone.key != function.key
    assert other.key == layer.key


def test_xrays_sdk_travels_where_tracing_is_on_and_nowhere_else(root: Path, tmp_path: Path) -> None:
    pinned = _wheel(tmp_path / "wheels", "aws-xray-sdk", "aws_xray_sdk/__init__.py")
    (root / "xray.lock").write_text(f"{pinned[0]} --hash=sha256:{pinned[1]}\n")

    def tops(**consumer: Any) -> set[str]:
        inside = names(function_package(pipeline(**consumer), "totals", root=root, out=tmp_path).path)
        return {name.partition("/")[0] for name in inside}

    assert "aws_xray_sdk" in tops(tracing=True)
    assert "aws_xray_sdk" not in tops(tracing=False)
    (root / "xray.lock").unlink()
    with pytest.raises(WheelsNotFound, match=r"xray.lock.*tracing = false does without"):
        tops(tracing=True)


def test_the_locks_hold_what_lambda_has_not() -> None:
    """boto3's own are in its runtime, and would be most of a package."""

    def pinned(lock: str) -> set[str]:
        lines = (ROOT / "requirements" / lock).read_text().splitlines()
        return {line.partition("==")[0] for line in lines if "==" in line}

    assert pinned("function.lock") == {"tenacity"}
    assert pinned("function-xray.lock") == {"aws-xray-sdk", "wrapt"}


def test_a_package_runs_where_nothing_else_is_installed(root: Path, tmp_path: Path) -> None:
    """As in Lambda: a bare Python, the zip's content, the handler by its name."""
    made = function_package(pipeline(), "totals", root=root, out=tmp_path)
    event = kinesis_event([(b"hello", "key")])
    program = (
        "import sys, json; sys.path.insert(0, sys.argv[1]);"
        "from app.orders.consumer import lambda_handler; print(lambda_handler(json.loads(sys.argv[2])))"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, made.path, json.dumps(event)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert run.stdout.splitlines() == ["hello", "{'batchItemFailures': []}"]
    assert base64.b64decode(event["Records"][0]["kinesis"]["data"]) == b"hello"


def test_a_package_above_the_budget_is_refused_with_what_takes_most(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "ZIPPED_BUDGET", 1000)
    with pytest.raises(PackageError, match=r"the budget is 1,000 .* Most is taken by kstream"):
        function_package(pipeline(), "totals", root=root, out=tmp_path)


@pytest.mark.parametrize(
    ("consumer", "words"),
    [
        ({"handler": "app.missing.lambda_handler"}, "stands in no file below"),
        ({"include": ["app/nothing.py"]}, "which is not there"),
        ({"include": ["alone.py"]}, "does not hold app/orders/consumer.py"),
        ({"include": ["../wheels"]}, "is outside of"),
        (
            {"handler": "app.orders.consumer.lambda_handle"},
            r"consumer.py has no 'lambda_handle'.*mean 'lambda_handler'",
        ),
    ],
)
def test_code_that_is_not_there_is_said_so(root: Path, tmp_path: Path, consumer: dict[str, Any], words: str) -> None:
    with pytest.raises(PackageError, match=words):
        function_package(pipeline(**consumer), "totals", root=root, out=tmp_path)


def test_what_a_folder_hides_or_leads_outside_stays_at_home(root: Path, tmp_path: Path) -> None:
    """A package lies in a bucket that more people read than the folder."""
    orders = root / "app" / "orders"
    (orders / ".git").mkdir()
    (orders / ".git" / "config").write_text("token")
    (orders / ".env").write_text("PASSWORD=x")
    inside = names(function_package(pipeline(), "totals", root=root, out=tmp_path, layered=True).path)
    assert [name for name in inside if "/." in name] == []

    (tmp_path / "secret").write_text("x")
    (orders / "data.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(PackageError, match=r"data.txt leads to .*secret, outside of"):
        function_package(pipeline(), "totals", root=root, out=tmp_path, layered=True)
    (orders / "data.txt").unlink()
    (orders / "data").symlink_to(root / "app")
    with pytest.raises(PackageError, match=r"data leads to another folder"):
        function_package(pipeline(), "totals", root=root, out=tmp_path, layered=True)
    (orders / "data").unlink()
    (orders / "data.sql").symlink_to(orders / "table.sql")
    inside = names(function_package(pipeline(), "totals", root=root, out=tmp_path, layered=True).path)
    assert "app/orders/data.sql" in inside


@pytest.mark.parametrize(
    ("source", "there"),
    [
        ("def f(event, context): ...", True),
        ("async def f(event, context): ...", True),
        ("from other import g as f", True),
        ("if True:\n    pass\nelse:\n    f = 1", True),
        ("try:\n    import x\nexcept ImportError:\n    f = 1", True),
        ("f: object = 1", True),
        ("g, (f, h) = 1, (2, 3)", True),
        ("with open('x') as f: ...", True),
        ("match 1:\n    case 1:\n        f = 1", True),
        ("from other import *", True),
        ("def __getattr__(name): ...", True),
        ("def g():\n    f = 1", False),
        ("class A:\n    f = 1", False),
        ("print(f)", False),
    ],
)
def test_a_handler_is_looked_for_without_running_its_module(source: str, *, there: bool) -> None:
    found = names_of(source.encode(), "m.py")
    assert ("f" in found or ANYTHING in found) is there


def test_a_module_that_is_no_python_is_refused_with_its_place(root: Path, tmp_path: Path) -> None:
    (root / "alone.py").write_text("def f(:")
    with pytest.raises(PackageError, match=r"alone.py, where the handler of totals stands, is no Python"):
        function_package(pipeline(handler="alone.f"), "totals", root=root, out=tmp_path, layered=True)


def test_the_example_can_be_packaged(root: Path, tmp_path: Path) -> None:
    """As it stands, with wheels of this machine: by default tracing's lock lies beside the other."""
    examples, locks = root / "examples", root / "requirements"
    shutil.copytree(ROOT / "examples", examples, ignore=shutil.ignore_patterns("__pycache__"))
    locks.mkdir()
    (root / "function.lock").rename(locks / "function.lock")
    pinned = _wheel(tmp_path / "wheels", "aws-xray-sdk", "aws_xray_sdk/__init__.py")
    (locks / "function-xray.lock").write_text(f"{pinned[0]} --hash=sha256:{pinned[1]}\n")
    minimal = load(examples / "pipeline-minimal.toml")

    inside = names(function_package(minimal, "totals", root=examples, out=tmp_path).path)
    assert {"order_totals.py", "aws_xray_sdk/__init__.py"} <= set(inside)
    assert parse({"name": "x", "streams": {"a": {}}}).locks_of_tracing == "requirements/function-xray.lock"
    assert parse({"name": "x", "streams": {"a": {}}, "tracing_lock": "b"}).locks_of_tracing == "b"


def test_a_lock_without_a_wheel_or_with_another_hash_is_refused_with_what_pip_says(root: Path, tmp_path: Path) -> None:
    (root / "function.lock").write_text("tenacity==0.0.1 --hash=sha256:" + "0" * 64)
    with pytest.raises(WheelsNotFound, match=r"(?s)python3.13 on arm64.*tenacity"):
        function_package(pipeline(), "totals", root=root, out=tmp_path)
    (root / "function.lock").write_text(f"tenacity=={distribution('tenacity').version} --hash=sha256:{'0' * 64}")
    with pytest.raises(WheelsNotFound, match=r"(?i)hash"):
        function_package(pipeline(), "totals", root=root, out=tmp_path)
    (root / "function.lock").unlink()
    with pytest.raises(WheelsNotFound, match="there is no lock"):
        function_package(pipeline(), "totals", root=root, out=tmp_path)


def test_wheels_are_those_of_the_functions_platform() -> None:
    assert "manylinux_2_28_aarch64" in platforms("python3.13", "arm64")
    assert "manylinux2014_x86_64" in platforms("python3.13", "x86_64")
    # Amazon Linux 2, under Python 3.11, has an older C library.
    assert "manylinux_2_28_x86_64" not in platforms("python3.11", "x86_64")
