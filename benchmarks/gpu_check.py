"""Correctness and speed of the CUDA kernels on this machine's GPU, as one table.

    make gpu-check
    python benchmarks/gpu_check.py --json benchmarks/results/gpu_check.json

Every operator and both networks against plain torch on the same GPU: the largest difference from
the reference in double precision, over the largest value, and the median of calls in turn. Ends
with 1 when there is no GPU or a difference is above its limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from saved import save
from torch import Tensor

import cuda_ops
from cuda_ops import Head, MobileBlock, ModulatedConv, SeparableConv, dispatch
from cuda_ops.backend import REFERENCE
from cuda_ops.cuda.backend import CudaBackend

HEAD = ("", "error", "torch ms", "kernels ms", "graph ms", "times")
COMMAND = "python benchmarks/gpu_check.py"
LIMIT = 1e-4  # of the largest value
ROUNDS = 20
BLOCKS = (512, 512, 512, 512, 256, 128, 64)  # channels out, of MobileStyleGAN at 8x8 to 512x512
WIDTHS = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # of StyleGAN2 at 4x4 to 1024x1024


@dataclass(frozen=True)
class Case:
    """An operator's name, what it is called on, and whether its result is bytes."""

    name: str
    what: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """One row: relative error; milliseconds of plain torch, the kernels, and a graph of them."""

    what: str
    error: float
    plain: float
    kernels: float
    graph: float | None

    @property
    def good(self) -> bool:
        """Whether the error is within the limit."""
        return self.error <= LIMIT


def separable(inputs: int, outputs: int, side: int) -> SeparableConv:
    """Return a convolution of random constants that keeps the size of its signal."""
    return SeparableConv(
        torch.randn(inputs, 3, 3) / 3, torch.randn(outputs, inputs) / inputs**0.5,
        torch.randn(side, side) / 10, torch.randn(outputs) / 10,
    )  # fmt: skip


def mobile(channels: tuple[int, ...], frames: int) -> tuple[Any, ...]:
    """Return the arguments of a whole network of these widths, random, starting at 4x4."""
    blocks, styles, inputs, side = [], [], channels[0], 4
    for outputs in channels:
        side *= 2
        convs = separable(inputs // 4, outputs, side), separable(outputs, outputs, side)
        blocks.append(MobileBlock(*convs))
        styles += [1 + torch.randn(frames, n) / 4 for n in (inputs, inputs // 4, outputs)]
        inputs = outputs
    styles.append(torch.randn(frames, inputs))
    head = Head(torch.randn(12, inputs) / inputs, torch.randn(12) / 10)
    return torch.randn(frames, channels[0], 4, 4), styles, blocks, head


def cases(channels: tuple[int, ...] = BLOCKS, widths: tuple[int, ...] = WIDTHS) -> Iterator[Case]:
    """Yield what is checked."""
    x, styles, blocks, head = mobile(channels, 1)
    for k, block in enumerate(blocks):
        side = block.conv2.noise.shape[0]
        source = torch.randn(1, len(styles[3 * k][0]), side // 2, side // 2)
        arguments = (source, *styles[3 * k : 3 * k + 3], block)
        yield Case("mobile_block", f"block {k}: {len(block.conv2.bias)}, {side}x{side}", arguments)
    network = mobile(channels, 1)
    yield Case("mobile_network", "MobileStyleGAN, 1 frame", network)
    yield Case("mobile_network_rgb8", "MobileStyleGAN, 1 frame, bytes", network)
    yield Case("mobile_network", "MobileStyleGAN, 4 frames", mobile(channels, 4))
    for k, outputs in enumerate(widths):
        side, inputs = 4 << k, widths[max(k - 1, 0)]
        for up in (True, False) if k else (False,):
            count = inputs if up else outputs
            weight = torch.randn(outputs, count, 3, 3)
            conv = ModulatedConv(
                weight,
                weight.square().sum((2, 3)),
                torch.randn(outputs),
                torch.randn(side, side),
                up,
            )
            half = side // 2 if up else side
            source, style = torch.randn(1, count, half, half), 1 + torch.randn(1, count) / 4
            what = f"StyleGAN2 {'up' if up else 'conv'}: {outputs}, {side}x{side}"
            yield Case("modulated_conv", what, (source, style, conv))
    taps = [0.25, 0.75, 0.75, 0.25]
    picture = torch.randn(1, 3, 2 << len(widths), 2 << len(widths))
    yield Case("upfirdn2d", "upfirdn2d, up 2", (picture, taps, 2, 1, (2, 1)))
    yield Case("upfirdn2d", "upfirdn2d, down 2", (picture, taps, 1, 2, (1, 1)))


def moved(value: Any, **to: Any) -> Any:
    """Return a value with all tensors in it moved to a device or type."""
    if isinstance(value, Tensor):
        return value.to(**to)
    if isinstance(value, list | tuple):
        items = [moved(item, **to) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, SeparableConv | MobileBlock | Head | ModulatedConv):
        return replace(
            value, **{f.name: moved(getattr(value, f.name), **to) for f in fields(value)}
        )
    return value


def check(case: Case, device: str, rounds: int = ROUNDS) -> Outcome:
    """Compare and time one case on a device."""
    arguments = moved(case.arguments, device=device)
    kernels: Callable[..., Tensor] = getattr(CudaBackend(device), case.name)
    plain: Callable[..., Tensor] = getattr(REFERENCE, case.name)
    with torch.inference_mode():
        exact = plain(*moved(arguments, dtype=torch.float64)).double()
        got = kernels(*arguments).double()
        error = float((got - exact).abs().max() / exact.abs().max())
        if case.name.endswith("rgb8"):
            error = max(0.0, float((got - exact).abs().max()) - 1) / 255  # one grey level is free
        calls = [lambda: plain(*arguments), lambda: kernels(*arguments)]
        if device == "cuda":
            first, *rest = arguments
            graphed = cuda_ops.Graphed(lambda x: kernels(x, *rest))
            calls.append(lambda: graphed(first))
        times = _timed(calls, rounds, device)
    return Outcome(case.what, error, times[0], times[1], times[2] if len(times) > 2 else None)


def _timed(calls: list[Callable[[], Tensor]], rounds: int, device: str) -> list[float]:
    taken: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds + 2):
        for call, times in zip(calls, taken, strict=True):
            if device == "cuda":
                torch.cuda.synchronize()
            begin = time.perf_counter()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            if turn >= 2:
                times.append(1e3 * (time.perf_counter() - begin))
    return [statistics.median(times) for times in taken]


def cells(outcome: Outcome) -> tuple[str, ...]:
    """Return one row of the table, under HEAD."""
    o = outcome
    return (
        o.what, f"{o.error:.1e}", f"{o.plain:.3f}", f"{o.kernels:.3f}",
        "" if o.graph is None else f"{o.graph:.3f}", f"{o.plain / (o.graph or o.kernels):.1f}x",
    )  # fmt: skip


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as one table."""
    lines = [(*HEAD, "")] + [(*cells(o), "good" if o.good else "BAD") for o in outcomes]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )


def main() -> int:
    """Run the check; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    state = dispatch.state("cuda")
    if state != "ready":
        print(f"gpu-check: nothing checked: {state}", file=sys.stderr)
        return 1
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(1)
    gpu = CudaBackend().describe()
    print(f"{gpu}, torch {torch.__version__}, float32; limit of errors {LIMIT:.0e}")
    outcomes = [check(case, "cuda") for case in cases()]
    print(table(outcomes))
    rows = [list(cells(outcome)) for outcome in outcomes]
    save(given.json, COMMAND, table={"columns": list(HEAD), "rows": rows})
    return 0 if all(outcome.good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
