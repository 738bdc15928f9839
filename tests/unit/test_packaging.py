"""What is published: the library alone, typed, with the data that it needs."""

from __future__ import annotations

import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    builder = WheelBuilder(str(ROOT))
    (path,) = builder.build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> dict[str, list[str]]:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    message = Parser().parsestr(wheel.read(name).decode())
    return {key: message.get_all(key, []) for key in message}


def test_the_wheel_holds_kstream_alone(wheel: zipfile.ZipFile) -> None:
    """A user's own ``deploy`` or ``consumers`` must not collide with this repository's."""
    top = {name.partition("/")[0] for name in wheel.namelist()}

    assert {name for name in top if not name.endswith(".dist-info")} == {"kstream"}


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "kstream").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in wheel.namelist() if name.startswith("kstream/")} == package


@pytest.mark.parametrize("name", ["kstream/py.typed", "kstream/local/ministack.lock"])
def test_the_wheel_holds_what_is_no_module_but_needed(wheel: zipfile.ZipFile, name: str) -> None:
    assert name in wheel.namelist()


def test_the_wheel_holds_the_licence(wheel: zipfile.ZipFile, metadata: dict[str, list[str]]) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/licenses/LICENSE"))

    assert b"Apache License" in wheel.read(name)
    assert metadata["License-Expression"] == ["Apache-2.0"]


def test_a_lambda_package_needs_tenacity_alone(metadata: dict[str, list[str]]) -> None:
    """Everything else is an extra: it would be dead weight in a Lambda package."""
    requirements = [Requirement(line) for line in metadata["Requires-Dist"]]

    assert {r.name for r in requirements if r.marker is None or "extra" not in str(r.marker)} == {"tenacity"}


@pytest.mark.parametrize(
    "lock",
    [
        "requirements/dev.lock",
        "requirements/dataset.lock",
        "kstream/local/ministack.lock",
        "tests/support/localstack/localstack.lock",
        "tests/support/localstack/lambda.lock",
    ],
)
def test_a_lock_pins_every_package_by_hash_and_names_no_index(lock: str) -> None:
    """So it installs from wherever the installer is told to, and only what was meant."""
    text = (ROOT / lock).read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert "--index-url" not in text


def test_the_npm_lock_names_no_index() -> None:
    assert '"resolved"' not in (ROOT / "tests/support/kinesis_local/package-lock.json").read_text()


def test_the_development_lock_holds_everything_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    asked = {Requirement(line) for group in groups for line in group}
    lines = (ROOT / "requirements/dev.lock").read_text().splitlines()
    pinned = dict(line.split(" ")[0].split("==") for line in lines if line and not line.startswith((" ", "#")))

    missing = [
        str(r) for r in asked if r.name != "kstream" and not r.specifier.contains(pinned.get(r.name.lower(), "0"))
    ]
    assert missing == []
