"""Builds the C++ and CUDA operators where they are first used, and keeps them in the user's cache.

A build lies in a folder named by the hash of everything that shapes it: sources, command, compiler,
torch, processor. It is made in a folder of its own and renamed when whole, so that a killed build
leaves nothing that looks like one, and builds at the same time need no lock: the first one counts.
What is loaded is checked first, see `cuda_ops.cache`.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import logging
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cuda_ops.cache import (
    PRIVATE,
    cache_folder,
    is_whole,
    make_private_folder,
    refuse_if_others_write,
    write_hash,
)
from cuda_ops.errors import KernelError

SOURCES = Path(__file__).parent
TIMEOUT = 600.0  # seconds a compiler may take
STALE = 24 * 3600.0  # seconds after which a folder of an unfinished build is swept away

# A child of the logger `cuda_ops`: a build takes up to a minute, so that a program may want to
# show these lines and not the others.
_log = logging.getLogger("cuda_ops.build")


SANITIZE = "FACECODEC_SANITIZE"  # set: built to stop at the first bad access (make sanitize)
# With -O1 and lines, so that a report says where.
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")


def sanitizers() -> tuple[str, ...]:
    """Return the flags that make g++'s libraries check themselves, where that is asked for."""
    return SANITIZERS if os.environ.get(SANITIZE) else ()


@dataclass(frozen=True)
class Recipe:
    """How to make one library: `sources` relative to `root`, flags to compile and to link.

    versions: of what else shapes the library, such as torch's.
    """

    name: str
    compiler: str
    sources: tuple[str, ...]
    flags: tuple[str, ...]
    links: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    root: Path | None = None  # None: this package

    @property
    def folder(self) -> Path:
        """Return the folder that the names of sources begin at."""
        return self.root or SOURCES


def cplusplus() -> str:
    """Return the C++ compiler: $CXX or g++."""
    return os.environ.get("CXX") or shutil.which("g++") or "c++"


def library_path(recipe: Recipe) -> Path:
    """Return where the library of a recipe lies once built.

    Raises KernelError when there is no compiler, whose version is part of the name.
    """
    digest = hashlib.sha256()
    for part in (_version(recipe.compiler), *recipe.versions, _processor()):
        digest.update(part.encode() + b"\0")
    digest.update(repr((recipe.sources, recipe.flags, recipe.links)).encode())
    suffixes = {Path(source).suffix for source in recipe.sources} | {".h", ".cuh"}
    for folder in sorted({str(Path(source).parent) for source in recipe.sources}):
        for path in sorted((recipe.folder / folder).iterdir()):
            if path.suffix in suffixes:
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return cache_folder() / f"{recipe.name}-{digest.hexdigest()[:24]}" / f"{recipe.name}.so"


def load(recipe: Recipe) -> ctypes.CDLL:
    """Return the loaded library of a recipe, built when it has to be.

    Raises KernelError when it cannot be built or loaded, or where others could have planted it.
    """
    path = build(recipe)
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelError(f"{path}: cannot be loaded ({error}); remove it") from None


def build(recipe: Recipe) -> Path:
    """Return the library of a recipe, building it when the cache has none or a damaged one.

    Raises KernelError when the compiler or ninja is missing or fails, and where other users can
    write to the cache.
    """
    library, root = library_path(recipe), cache_folder()
    for path in (root.parent, root, library.parent, library):
        refuse_if_others_write(path)
    if is_whole(library):
        return library
    if library.exists():
        _log.warning("%s is damaged; building it again", library)
    ninja = find_ninja()
    if ninja is None:
        raise KernelError("ninja is missing; run: pip install ninja")
    make_private_folder(root)
    try:
        _sweep(root)
        folder = Path(tempfile.mkdtemp(prefix=f".{recipe.name}-", dir=root))
    except OSError as error:
        raise KernelError(f"{root}: {error.strerror}; set FACECODEC_HOME elsewhere") from None
    begin = time.perf_counter()
    _log.info("building the %s kernels, once for this machine ...", recipe.name)
    try:
        (folder / "build.ninja").write_text(_ninja_file(recipe), encoding="utf-8")
        _compile(ninja, folder, recipe)
        _publish(folder, library)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _log.info("built the %s kernels in %.0f s", recipe.name, time.perf_counter() - begin)
    return library


def clean(current: Sequence[Recipe]) -> list[Path]:
    """Remove all builds from the cache but those of the `current` recipes; return what was there.

    Those of other versions of this package, of torch and of compilers, for other processors.
    Raises KernelError where others can write to the cache, or a build cannot be removed.
    """
    root = cache_folder()
    if not root.is_dir():
        return []
    refuse_if_others_write(root)
    kept = set()
    for recipe in current:
        with suppress(KernelError):  # without its compiler, none of its builds is of use
            kept.add(library_path(recipe).parent)
    old = sorted(path for path in root.iterdir() if path.is_dir() and path not in kept)
    for folder in old:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise KernelError(f"{folder}: cannot be removed ({error.strerror})") from None
    return old


def find_ninja() -> str | None:
    """Return the ninja program: on the path, or the one its Python package brings."""
    if program := shutil.which("ninja"):
        return program
    spec = importlib.util.find_spec("ninja")
    if spec is None:
        return None
    import ninja

    path = Path(ninja.BIN_DIR) / "ninja"
    return str(path) if path.is_file() else None


def _compile(ninja: str, folder: Path, recipe: Recipe) -> None:
    try:
        run = subprocess.run(
            [ninja, "-C", str(folder)], capture_output=True, text=True, timeout=TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelError(f"building the {recipe.name} kernels failed: {error}") from None
    if run.returncode:
        lines = (run.stdout + run.stderr).splitlines()
        first = next((line for line in lines if "error:" in line), lines[-1] if lines else "")
        raise KernelError(f"building the {recipe.name} kernels failed: {first.strip()}")


def _publish(folder: Path, library: Path) -> None:
    """Move a whole build to its place; another process may have have put the same there."""
    built = folder / library.name
    with built.open("rb") as file:
        os.fsync(file.fileno())
    built.chmod(PRIVATE)
    write_hash(built)
    try:
        folder.rename(library.parent)
    except OSError:
        if not is_whole(library):
            shutil.rmtree(library.parent, ignore_errors=True)
            folder.rename(library.parent)


def _sweep(root: Path) -> None:
    """Remove what builds that were killed long ago have left behind."""
    for folder in root.glob(".*-*"):
        if time.time() - folder.stat().st_mtime > STALE:
            shutil.rmtree(folder, ignore_errors=True)


def _ninja_file(recipe: Recipe) -> str:
    objects = [f"{Path(source).stem}.o" for source in recipe.sources]
    lines = [
        f"compiler = {_escape(recipe.compiler)}",
        f"flags = {' '.join(map(_escape, recipe.flags))}",
        f"links = {' '.join(map(_escape, recipe.links))}",
        "rule compile",
        "  command = $compiler $flags -c $in -o $out",
        "rule link",
        "  command = $compiler $flags -shared $in $links -o $out",
    ]
    for source, target in zip(recipe.sources, objects, strict=True):
        lines.append(f"build {target}: compile {_escape(str(recipe.folder / source))}")
    lines.append(f"build {recipe.name}.so: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return text.replace("$", "$$").replace(" ", "$ ").replace(":", "$:")


def _version(compiler: str) -> str:
    """Return what the compiler says it is. Raises KernelError when it cannot be run."""
    try:
        run = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        raise KernelError(f"no compiler: {compiler} cannot be run") from None
    return run.stdout


def _processor() -> str:
    """Return what -march=native depends on: the processor's model and its instruction sets."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    wanted = ("model", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
