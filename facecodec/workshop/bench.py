"""Bench: every implementation of the synthesis operators side by side, and decoding end to end.

All contestants of a row run in turn, one call each, again and again, so that what disturbs the
machine disturbs them alike; a row gives their medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import cuda_ops
from cuda_ops import dispatch
from facecodec.avatar.avatar import Avatar
from facecodec.decoding.decode import decode
from facecodec.encoding.write import write_stream
from facecodec.generator.base import Generator
from facecodec.generator.stylegan2 import StyleGAN2
from facecodec.models import Device, FaceModel, load_models, pick_device
from facecodec.progress import Progress, silent
from facecodec.types import Controls
from facecodec.weights.catalogue import DEFAULT_GENERATOR
from facecodec.workshop.bench_openvino import openvino_calls
from facecodec.workshop.bench_operators import (
    Case,
    operator_cases,
    random_stylegan2,
    without_grad,
)

WARM_UP_ROUNDS = 1  # rounds before the clock counts
DERIVATIVE_RENDERS = 7  # renders of one step of the tracker's derivative


@dataclass(frozen=True)
class Contestant:
    """A way to compute: its name, the kernel and the arithmetic it stands for."""

    name: str
    kernel: str
    arithmetic: str


@dataclass
class Row:
    """One thing measured: median milliseconds by contestant; `frames` are made in that time."""

    name: str
    frames: int = 1
    milliseconds: dict[str, float] = field(default_factory=dict)
    note: str = ""

    def speedup(self, name: str, base: str = "reference") -> float | None:
        """Return how many times faster than `base` a contestant is, where both ran."""
        if name not in self.milliseconds or base not in self.milliseconds:
            return None
        return self.milliseconds[base] / self.milliseconds[name]


def contestants(generator: Generator) -> list[Contestant]:
    """Return the implementations that run on this machine for a generator, slowest first.

    On a GPU there are bf16 products of StyleGAN2 alone.
    """
    device = generator.w_mean.device.type
    ways = [Contestant("reference", "reference", "fp32")]
    if dispatch.state(device) == "ready":
        ways.append(Contestant(f"{device} fp32", device, "fp32"))
        in_bf16 = device == "cpu" or isinstance(generator, StyleGAN2)
        if in_bf16 and dispatch.has_bf16(device):
            ways.append(Contestant(f"{device} bf16", device, "bf16"))
    return ways


def bench(
    model: str = DEFAULT_GENERATOR,
    device: Device = "auto",
    rounds: int = 7,
    frames: int = 50,
    openvino: str | Path | None = None,
    progress: Progress = silent,
    stylegan2: int | None = None,
) -> list[Row]:
    """Measure operators, stages and decoding of an installed generator.

    rounds: calls of each contestant that count. frames: length of the decoded stream, 0 for none.
    openvino: an IR of the default generator to run whole frames through as well.
    stylegan2: measure a StyleGAN2 of this size with random weights instead, without decoding.
    Raises ModelError when the model is not installed.
    """
    loaded: FaceModel | None = None
    if stylegan2:
        cuda_ops.keep_freed_memory()
        generator: Generator = random_stylegan2(stylegan2).to(pick_device(device))
    else:
        loaded = load_models(model, None, device)
        generator = loaded.generator
    ways = contestants(generator)
    rows: list[Row] = []
    cases = list(_cases(generator))
    for done, (name, batch, call) in enumerate(cases):
        progress("bench", done, len(cases) + 1)
        calls = {way.name: _as(way, call) for way in ways}
        if openvino and name.startswith("frame") and name.endswith("floats"):
            calls |= openvino_calls(openvino, generator.w_mean[None].cpu().numpy())
        rows.append(Row(name, batch, interleaved(calls, rounds)))
    progress("bench", len(cases), len(cases) + 1)
    if frames and loaded:
        rows += _decoding(loaded, ways[-1], frames)
    progress("bench", len(cases) + 1, len(cases) + 1)
    return rows


def interleaved(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Call all in turn `rounds` times after a warm-up: the median milliseconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(WARM_UP_ROUNDS + rounds):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if turn >= WARM_UP_ROUNDS:
                taken[name].append(time.perf_counter() - begin)
    return {name: round(1e3 * statistics.median(times), 3) for name, times in taken.items()}


def _as(way: Contestant, call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        with cuda_ops.using(way.kernel, way.arithmetic):
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()

    return run


def _cases(generator: Generator) -> Iterator[Case]:
    """Yield name, frames and call of everything measured."""
    with torch.no_grad():
        shape = DERIVATIVE_RENDERS, generator.w_dim
        noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        w = generator.mapping(torch.from_numpy(noise).to(generator.w_mean.device))
        styles = generator.styles(generator.broadcast(w))
    yield from operator_cases(generator, styles[:1])
    side = generator.resolution
    yield f"frame {side}, bytes", 1, without_grad(generator.synthesize_rgb8, styles[:1])
    yield f"frame {side}, floats", 1, without_grad(generator.synthesize, styles[:1])
    for size in generator.preview_sizes:
        yield f"preview {size}", 1, without_grad(generator.preview, styles[:1], size)
    small = generator.preview_sizes[min(1, len(generator.preview_sizes) - 1)]
    count = DERIVATIVE_RENDERS
    yield f"tracking: {count} at {small}", count, without_grad(generator.preview, styles, small)
    yield f"fitting step at {small}", 1, _fitting_step(generator, styles[:1], small)


def _fitting_step(generator: Generator, styles: Tensor, size: int) -> Callable[[], Any]:
    def run() -> None:
        free = styles.clone().requires_grad_(True)
        generator.preview(free, size).square().mean().backward()

    return run


def _decoding(model: FaceModel, way: Contestant, frames: int) -> list[Row]:
    """Measure the decoding of a made-up stream to mp4, and its renders alone."""
    controls = _motion(frames, len(model.rig.names))
    with (
        cuda_ops.using(way.kernel, way.arithmetic),
        tempfile.TemporaryDirectory(prefix="facecodec-bench-") as folder,
    ):
        stream = Path(folder) / "bench.fcv"
        avatar = Avatar(model, np.tile(model.mean, (model.generator.num_ws, 1)))
        write_stream(stream, avatar, controls)
        avatar.render(controls[:1])
        begin = time.perf_counter()
        for row in controls:
            avatar.render(row[None])
        alone = time.perf_counter() - begin
        device = model.device.type
        whole = decode(stream, Path(folder) / "bench.mp4", device=device).seconds
    note = f"{whole / alone:.2f} times the renders alone"
    return [
        Row("renders of a stream", frames, {way.name: round(1e3 * alone, 3)}),
        Row("decode to mp4", frames, {way.name: round(1e3 * whole, 3)}, note),
    ]


def _motion(frames: int, count: int) -> Controls:
    """Return smooth controls [frames, count] of a head that talks."""
    time_ = np.arange(frames)[:, None] / 25
    rate, phase = np.random.default_rng(1).uniform(0.2, 3, (2, 1, count))
    result: Controls = np.sin(2 * np.pi * rate * time_ + phase).astype(np.float32)
    return result
