"""Doctor: one finding for everything the commands need of this machine."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import torch

import cuda_ops
from cuda_ops import build, dispatch
from cuda_ops.cache import cache_folder
from cuda_ops.cpu import library
from cuda_ops.cpu.backend import CpuBackend
from cuda_ops.cuda import library as cuda_library
from facecodec.bitstream.coding import compiled
from facecodec.compositing import compiled as painter
from facecodec.errors import FacecodecError, ModelError
from facecodec.face import cascade
from facecodec.version import __version__
from facecodec.video import planes
from facecodec.weights import store
from facecodec.weights.catalogue import CATALOGUE
from facecodec.workshop.machine import processor


@dataclass(frozen=True)
class Finding:
    """One line of the report. state: 'good', 'note' (works, but slower or less), or 'bad'."""

    topic: str
    state: str
    text: str


def examine() -> list[Finding]:
    """Look at the whole machine. Builds the kernels where they are not built yet."""
    return [
        Finding("facecodec", "good", f"{__version__}, {Path(__file__).parent.parent}"),
        Finding("python", "good", f"{platform.python_version()}, {platform.platform()}"),
        Finding("processor", "good", f"{processor()}; {os.cpu_count()} cores"),
        _torch(),
        _packages(),
        _compiler(),
        _ninja(),
        _kernels(),
        _plain("stream coder", compiled.library(), "streams of some minutes take long"),
        _plain("compositing", painter.library(), "heads are laid over frames slowly"),
        _plain("colours", planes.library(), "videos are read slowly"),
        _plain("landmarks", cascade.library(), "dlib reads faces, four times as slowly"),
        _cuda(),
        _choice(),
        *models(),
        _cache("models", store.models_folder()),
        _cache("kernels", cache_folder()),
    ]


def clean() -> tuple[int, int]:
    """Remove compiled kernels of other versions; return how many builds, and their bytes.

    Raises FacecodecError where they cannot be removed.
    """
    folder = cache_folder()
    before = _bytes(folder)
    try:
        graphics = [cuda_library.recipe(), cuda_library.host_recipe()]
        own = [beside.plain().recipe() for beside in (compiled, cascade, painter, planes)]
        removed = build.clean([library.recipe(), *own, *graphics])
    except cuda_ops.KernelError as error:
        raise FacecodecError(str(error)) from error
    return len(removed), before - _bytes(folder)


def models() -> list[Finding]:
    """Look at every model of the catalogue and every other one that is installed."""
    return [_model(name) for name in dict.fromkeys([*CATALOGUE, *store.installed()])]


def _torch() -> Finding:
    facts = f"{torch.__version__}, {torch.get_num_threads()} threads, "
    return Finding("torch", "good", facts + torch.backends.cpu.get_cpu_capability())


def _packages() -> Finding:
    installed, missing = [], []
    for name, module in (("PyAV", "av"), ("dlib", "dlib"), ("numpy", "numpy")):
        try:
            installed.append(f"{name} {__import__(module).__version__}")
        except (ImportError, AttributeError) as error:
            missing.append(f"{name} ({error})")
    if missing:
        return Finding("packages", "bad", "cannot be imported: " + ", ".join(missing))
    return Finding("packages", "good", ", ".join(installed))


def _compiler() -> Finding:
    compiler = library.recipe().compiler
    line = _first_line(compiler)
    if line is None:
        why = f"{compiler} cannot be run; install g++ or set CXX"
        return Finding("compiler", "note", why)
    return Finding("compiler", "good", f"{line} ({compiler})")


def _ninja() -> Finding:
    ninja = build.find_ninja()
    if ninja is None:
        return Finding("ninja", "note", "missing; run: pip install ninja")
    return Finding("ninja", "good", f"{_first_line(ninja)} ({ninja})")


def _kernels() -> Finding:
    begin = time.perf_counter()
    state = dispatch.state("cpu")
    if state != "ready":
        return Finding("kernels, cpu", "note", f"not built, rendering is slow: {state}")
    took = time.perf_counter() - begin
    loaded = library.library()  # built here, or brought by the wheel
    words = CpuBackend().describe()
    return Finding("kernels, cpu", "good", f"{words}; {took:.2f} s; {loaded._name}")


def _plain(name: str, found: ctypes.CDLL | None, without: str) -> Finding:
    """Say whether a small library is there, and what is done `without` it."""
    if found is None:
        return Finding(name, "note", f"not built: {without}")
    return Finding(name, "good", "compiled")


def _cuda() -> Finding:
    nvcc = shutil.which("nvcc")
    have = f"nvcc {nvcc}" if nvcc else "no nvcc"
    if not torch.cuda.is_available():
        return Finding("CUDA", "good", f"none here ({have}); everything runs on the CPU")
    state = dispatch.state("cuda")
    name = torch.cuda.get_device_name()
    return Finding("CUDA", "good" if state == "ready" else "note", f"{name}, {have}; {state}")


def _choice() -> Finding:
    try:
        kind = dispatch.choice()
        words = cuda_ops.describe("cuda" if torch.cuda.is_available() else "cpu")
    except cuda_ops.KernelError as error:
        return Finding("chosen", "bad", str(error))
    return Finding("chosen", "good", f"kernel {kind}: {words}")


def _model(name: str) -> Finding:
    if name not in store.installed():
        state = "bad" if name in CATALOGUE else "note"
        return Finding(name, state, f"not installed; {store.how_to_install(name)}")
    try:
        record = store.verify(name)
    except ModelError as error:
        return Finding(name, "bad", str(error))
    return Finding(name, "good", f"{record.bytes / 1e6:.0f} MB, SHA-256 {record.sha256[:12]}")


def _cache(topic: str, folder: Path) -> Finding:
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(parent, os.W_OK):
        return Finding(f"cache, {topic}", "note", f"{folder} cannot be written to")
    return Finding(f"cache, {topic}", "good", f"{folder}, {_bytes(folder) / 1e6:.1f} MB")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _first_line(program: str) -> str | None:
    try:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (run.stdout.splitlines() or [""])[0]
