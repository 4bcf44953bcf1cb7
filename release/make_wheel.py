"""Make the wheel for Linux on x86-64, with the kernels compiled for every level of processors.

`python release/make_wheel.py [FOLDER]` needs g++ 12 or newer, what facecodec itself requires, and
the packages setuptools and wheel. It compiles into cuda_ops/cpu/prebuilt/, which is no part of the
repository, and writes the wheel into FOLDER (dist where it is not given), tagged with the oldest
glibc that the libraries run on.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cuda_ops.cpu.library import FLAGS, SOURCES
from cuda_ops.cpu.prebuilt import FOLDER, LEVELS, Level
from cuda_ops.plain import NATIVE, PlainLibrary
from facecodec.bitstream.coding import compiled
from facecodec.compositing import compiled as painter
from facecodec.face import cascade
from facecodec.video import planes

ROOT = Path(__file__).resolve().parents[1]
PLAIN = (compiled, cascade, painter, planes)  # libraries that any processor runs
OLDEST_GLIBC = (2, 17)  # that wheels are tagged with
LINKS = ("-Wl,--gc-sections", "-s")
QUIET = ("-Wno-unused-parameter",)  # of what a level without bf16 leaves out


def compile_level(level: Level, folder: Path = FOLDER) -> Path:
    """Compile the library of a level and return it."""
    folder.mkdir(exist_ok=True)
    library = folder / f"{level.name}.so"
    compiler = os.environ.get("CXX", "g++")
    flags = [flag for flag in FLAGS if flag != NATIVE]
    objects = []
    for source in SOURCES:
        made = folder / f"{level.name}-{Path(source).stem}.o"
        path = ROOT / "cuda_ops" / source
        subprocess.run([compiler, *flags, *QUIET, *level.flags, "-c", path, "-o", made], check=True)
        objects.append(made)
    # without -fopenmp, which would name a libgomp: see `cuda_ops.cpu.prebuilt`
    subprocess.run([compiler, "-shared", *objects, *LINKS, "-o", library], check=True)
    for made in objects:
        made.unlink()
    return library


def compile_plain(plain: PlainLibrary) -> Path:
    """Compile a small library and return it: any processor of a kind runs it."""
    recipe, library = plain.recipe(), plain.prebuilt
    library.parent.mkdir(exist_ok=True)
    sources = [recipe.folder / source for source in recipe.sources]
    flags = [*(flag for flag in recipe.flags if flag != NATIVE), "-shared"]
    command: list[str | Path] = [recipe.compiler, *flags, *sources, *LINKS, "-o", library]
    subprocess.run(command, check=True)
    return library


def needed_glibc(library: Path) -> tuple[int, int]:
    """Return the version of glibc that a library asks for."""
    out = subprocess.run(["objdump", "-T", library], capture_output=True, text=True, check=True)
    found = re.findall(r"GLIBC_(\d+)\.(\d+)", out.stdout)
    return max([OLDEST_GLIBC, *((int(major), int(minor)) for major, minor in found)])


def main() -> None:
    """Make the wheel, and leave nothing else behind."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    try:
        make(folder)
    finally:
        own = (module.plain().prebuilt.parent for module in PLAIN)
        for made in (FOLDER, *own):
            shutil.rmtree(made, ignore_errors=True)  # of these sources, and soon of older ones


def make(folder: Path) -> None:
    """Compile all levels, and write a wheel with them into `folder`."""
    libraries = [compile_level(level) for level in LEVELS]
    libraries += [compile_plain(module.plain()) for module in PLAIN]
    major, minor = max(needed_glibc(library) for library in libraries)
    for library in libraries:
        print(f"{library.name}: {library.stat().st_size} bytes")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation",
         "--wheel-dir", folder, ROOT], check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("facecodec-*-py3-none-any.whl")
    tag = f"manylinux_{major}_{minor}_x86_64"
    subprocess.run(
        [sys.executable, "-m", "wheel", "tags", "--remove", "--platform-tag", tag, wheel],
        check=True,
    )


if __name__ == "__main__":
    main()
