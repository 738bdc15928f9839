"""Function packages: zips of kstream, the consumer, and its locked dependencies. The same input makes the same bytes.

kstream's command line, local runtime and test kit stay at home: their libraries would, too. boto3 is in Lambda's own
runtime. Times and owners are left out of the zip, and names are sorted; only another zlib may compress differently, so a
package is named after what is in it and not after its bytes.
"""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import handlers, wheels
from deploy.config.problems import nearest
from kstream import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploy.config import Consumer, Pipeline

AT_HOME = ("__main__.py", "cli", "local", "redrive", "testing")
"""Parts of kstream that no function needs."""
ZIPPED_BUDGET = 20 * 1024 * 1024
"""Ours. Lambda itself takes 250 MB unpacked; a large package starts slowly."""
UNZIPPED_LIMIT = 250 * 1024 * 1024

_OLDEST = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = 0o100644 << 16
_ONE_UNIX = 3
_LAYER_PREFIX = "python/"  # where Lambda's Python finds a layer's modules


class PackageError(ConfigurationError):
    """The package cannot be made, or is too large."""


@dataclass(frozen=True, slots=True)
class Package:
    """``digest`` is that of names and contents; ``largest`` are the parts that take most, unpacked."""

    name: str
    path: Path
    digest: str
    zipped: int
    unzipped: int
    largest: tuple[tuple[str, int], ...]
    layer: bool = False

    @property
    def key(self) -> str:
        """Where it goes in a bucket. Another content is another key, so CloudFormation sees the change. Layers of several
        functions with the same content are sent once."""
        return f"layers/{self.digest[:24]}.zip" if self.layer else f"functions/{self.name}-{self.digest[:16]}.zip"


def packages(pipeline: Pipeline, name: str, *, root: Path, out: Path, layered: bool = False) -> list[Package]:
    """The zip of a consumer's function, and that of its layer, if ``pipeline.toml`` says so, or ``layered`` does.

    ``root`` is the folder that the configuration's paths start from. Raises ``PackageError`` and ``WheelsNotFound``.
    """
    layered = layered or pipeline.consumers[name].dependencies == "layer"
    made = [function_package(pipeline, name, root=root, out=out, layered=layered)]
    if layered:
        made.append(layer_package(pipeline, name, root=root, out=out))
    return made


def function_package(pipeline: Pipeline, name: str, *, root: Path, out: Path, layered: bool = False) -> Package:
    """The zip of a consumer's function in ``out``. ``layered``: without what ``layer_package`` holds.

    ``root`` is the folder that the configuration's paths start from. Raises ``PackageError`` and ``WheelsNotFound``.
    """
    consumer = pipeline.consumers[name]
    files = dict(code(consumer, root))
    if not layered:
        files |= _library(pipeline, consumer, root)
    _check_handler(name, consumer, files)
    return _zipped(f"{pipeline.prefix}-{name}", files, out)


def layer_package(pipeline: Pipeline, name: str, *, root: Path, out: Path) -> Package:
    """kstream and the consumer's dependencies as a Lambda layer."""
    library = _library(pipeline, pipeline.consumers[name], root)
    files = {_LAYER_PREFIX + at: data for at, data in library.items()}
    return replace(_zipped(f"{pipeline.prefix}-{name}-layer", files, out), layer=True)


def code(consumer: Consumer, root: Path) -> Iterator[tuple[str, bytes]]:
    """The consumer's own files, with the ``__init__.py`` of each package above. What is found in folders leaves out names
    that begin with a dot: ``.env`` and ``.git`` are nobody's code."""
    root = root.resolve()
    for path in _included(consumer, root):
        if not path.is_relative_to(root):
            raise PackageError(f"{path} is outside of {root}: a function holds what lies below its pipeline.toml")
        for parent in path.relative_to(root).parents:
            init = root / parent / "__init__.py"
            if parent.parts and init.is_file():
                yield init.relative_to(root).as_posix(), init.read_bytes()
        for file in _found(path, root) if path.is_dir() else [path]:
            yield file.relative_to(root).as_posix(), file.read_bytes()


def _found(folder: Path, root: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise PackageError(
                f"{path} leads to {path.resolve()}, outside of {root}: copy it, or leave it out by include"
            )
        if path.is_dir():
            if path.is_symlink():
                raise PackageError(f"{path} leads to another folder: name that one in include")
            yield from _found(path, root)
        elif path.is_file():
            yield path


def _included(consumer: Consumer, root: Path) -> list[Path]:
    if consumer.include:
        paths = [(root / path).resolve() for path in consumer.include]
        if missing := [path for path in paths if not path.exists()]:
            raise PackageError(f"include names {missing[0]}, which is not there")
        return paths
    module = root.joinpath(*consumer.handler.split(".")[:-1]).resolve()
    if module.is_dir():
        return [module]
    file = module.with_suffix(".py")
    if not file.is_file():
        raise PackageError(f"the handler {consumer.handler} stands in no file below {root}: looked for {file}")
    # A module in a package comes with its package; one that stands alone, alone.
    return [module.parent] if module.parent != root.resolve() and (module.parent / "__init__.py").is_file() else [file]


def _check_handler(name: str, consumer: Consumer, files: Mapping[str, bytes]) -> None:
    path, _, function = consumer.handler.rpartition(".")
    module = path.replace(".", "/")
    file = next((file for file in (f"{module}.py", f"{module}/__init__.py") if file in files), None)
    if file is None:
        raise PackageError(f"the package of {name} does not hold {module}.py, where its handler stands: see include")
    try:
        known = handlers.names_of(files[file], file)
    except SyntaxError as error:
        raise PackageError(f"{file}, where the handler of {name} stands, is no Python: {error}") from error
    if function not in known and handlers.ANYTHING not in known:
        raise PackageError(
            f"{file} has no {function!r}, which handler names for {name}{nearest(function, known) or '.'} Say "
            f"{function} = on_lambda(...) there, or give another handler"
        )


def _library(pipeline: Pipeline, consumer: Consumer, root: Path) -> dict[str, bytes]:
    files = dict(_kstream())
    with tempfile.TemporaryDirectory() as folder:
        locks = [root / (consumer.lock or pipeline.lock)]
        if consumer.tracing:
            locks.append(root / pipeline.locks_of_tracing)
        for wheel in wheels.download(locks, consumer.runtime, consumer.architecture, Path(folder)):
            files |= dict(wheels.contents(wheel))
    return files


def _kstream() -> Iterator[tuple[str, bytes]]:
    import kstream

    package = Path(kstream.__file__).parent
    for file in sorted(package.rglob("*")):
        place = file.relative_to(package)
        if file.is_file() and "__pycache__" not in place.parts and place.parts[0] not in AT_HOME:
            yield f"kstream/{place.as_posix()}", file.read_bytes()


def _zipped(name: str, files: Mapping[str, bytes], out: Path) -> Package:
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{name}.zip"
    digest = sha256()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for place, data in sorted(files.items()):
            info = zipfile.ZipInfo(place, _OLDEST)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = _PLAIN_FILE
            info.create_system = _ONE_UNIX
            archive.writestr(info, data)
            digest.update(b"%d:%s%d:" % (len(place.encode()), place.encode(), len(data)) + data)
    sizes: dict[str, int] = {}
    for place, data in files.items():
        top = place.removeprefix(_LAYER_PREFIX).partition("/")[0]
        sizes[top] = sizes.get(top, 0) + len(data)
    largest = tuple(sorted(sizes.items(), key=lambda part: -part[1])[:5])
    made = Package(name, path, digest.hexdigest(), path.stat().st_size, sum(map(len, files.values())), largest)
    if made.zipped > ZIPPED_BUDGET or made.unzipped > UNZIPPED_LIMIT:
        told = ", ".join(f"{part} {size:,}" for part, size in largest)
        raise PackageError(
            f"the package {path} has {made.zipped:,} bytes ({made.unzipped:,} unpacked); the budget is {ZIPPED_BUDGET:,} "
            f"({UNZIPPED_LIMIT:,}). Most is taken by {told}"
        )
    return made
