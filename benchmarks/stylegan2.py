"""StyleGAN2 beside NVIDIA's own code on the same random weights: equality, speed, memory.

    git clone https://github.com/NVlabs/stylegan2-ada-pytorch nvidia
    python benchmarks/stylegan2.py nvidia --json benchmarks/results/stylegan2.json

Equality: styles, every layer's result and the whole picture at each size and channel base. Speed:
one 1024x1024 frame of one latent, the implementations in turn, the median of the rounds; NVIDIA's
code with its convolutions fused and unfused, of which the faster counts (its assertions refuse
autocast to bf16). Peak memory: of a process that builds the network and renders one frame, before
that frame and after it. All in float32 where a row does not say bf16.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import cuda_ops
from cuda_ops import dispatch
from facecodec.generator.stylegan2 import StyleGAN2
from facecodec.workshop.bench import interleaved
from facecodec.workshop.bench_operators import random_stylegan2
from facecodec.workshop.machine import machine

SHAPES = [(1024, 32768), (1024, 16384), (256, 16384), (256, 32768), (64, 32768), (64, 4096)]
WIDEST = 512
COMMAND = "python benchmarks/stylegan2.py nvidia"
COLUMNS = ["size", "channel base", "styles", "layers", "picture"]


def nvidia_network(folder: Path, size: int, base: int) -> Any:
    """Build NVIDIA's Generator with seeded random weights, noise and biases."""
    sys.path.insert(0, str(folder))
    for missing in ("requests", "pkg_resources"):  # imported there, not needed here
        sys.modules.setdefault(missing, types.ModuleType(missing))
    sys.modules["pkg_resources"].parse_version = lambda text: (2, 0)  # type: ignore[attr-defined]
    from training.networks import Generator

    torch.manual_seed(0)
    shared = {"channel_base": base, "channel_max": WIDEST}
    network = Generator(512, 0, 512, size, 3, mapping_kwargs={"num_layers": 8},
                        synthesis_kwargs=shared)  # fmt: skip
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.startswith("synthesis") and value.dim() < 2 and "affine" not in name:
                value.copy_(0.1 * torch.randn(value.shape))
    return network.eval().requires_grad_(False)


def our_network(network: Any, size: int, base: int) -> StyleGAN2:
    """Build our network from the tensors of theirs."""
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("resample_filter")}
    return StyleGAN2.from_tensors(state, f"random-{size}-{base}", "0" * 64)


def differences(network: Any, ours: StyleGAN2) -> dict[str, float]:
    """Return the largest differences: of styles, and of layers and picture over their range."""
    w_plus = network.mapping(torch.randn(1, 512), None)
    w_plus = w_plus + 0.1 * torch.randn(w_plus.shape)
    styles: list[Tensor] = []
    maps: list[Tensor] = []
    hooks = []
    for module in network.modules():
        if hasattr(module, "affine"):
            hooks.append(module.affine.register_forward_hook(lambda m, i, out: styles.append(out)))
        if type(module).__name__ == "SynthesisLayer":
            hooks.append(module.register_forward_hook(lambda m, i, out: maps.append(out)))
    picture = network.synthesis(w_plus, noise_mode="const")
    for hook in hooks:
        hook.remove()
    styled = ours.styles(w_plus)
    layers = 0.0
    for operator, _, result in ours.steps(styled):
        if operator is cuda_ops.modulated_conv:
            layers = max(layers, apart(maps.pop(0), result))
    assert not maps
    style = (styled - torch.cat(styles, 1)).abs().max()
    return {
        "styles": float(style),
        "layers": layers,
        "picture": apart(picture, ours.synthesize(styled)),
    }


def apart(expected: Tensor, actual: Tensor) -> float:
    return float((expected - actual).abs().max() / (expected.max() - expected.min()))


def runners(network: Any, ours: StyleGAN2) -> dict[str, Callable[[], Any]]:
    """Return what is timed: a frame from W+, by every implementation."""
    w_plus = network.mapping(torch.randn(1, 512), None)

    def theirs(fused: bool) -> Callable[[], Any]:
        return lambda: network.synthesis(w_plus, noise_mode="const", fused_modconv=fused)

    def facecodec(arithmetic: str) -> Callable[[], Any]:
        def render() -> Tensor:
            with cuda_ops.using("cpu", arithmetic):
                return ours.synthesize(ours.styles(w_plus))

        return render

    renderers = {
        "NVIDIA, fused": theirs(True),
        "NVIDIA, unfused": theirs(False),
        "facecodec": facecodec("fp32"),
    }
    return renderers | ({"facecodec, bf16": facecodec("bf16")} if dispatch.has_bf16() else {})


def memory() -> dict[str, float]:
    """Return MB of this process before and at the peak of rendering one frame of 1024x1024."""
    network = random_stylegan2(1024)
    before = peak_memory()
    with torch.inference_mode():
        network.synthesize(network.styles(network.w_mean.expand(1, network.num_ws, -1)))
    return {"before": before, "peak": peak_memory()}


def peak_memory() -> float:
    """Return this process's peak in MB; getrusage would begin with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def speed_table(times: dict[str, float]) -> dict[str, Any]:
    """Return the rows of the speed table; NVIDIA's best is the measure of all."""
    best = min(value for name, value in times.items() if name.startswith("NVIDIA"))
    rows = [[name, f"{value:.0f} ms", f"{best / value:.2f}x"] for name, value in times.items()]
    return {"columns": ["1024x1024", "one frame", "times NVIDIA's faster"], "rows": rows}


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("nvidia", type=Path, help="a clone of NVlabs/stylegan2-ada-pytorch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-equality", action="store_true", help="speed and memory alone")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        print(json.dumps(memory()))
        return
    cuda_ops.keep_freed_memory()  # as facecodec does; NVIDIA's code gains by it too
    facts: dict[str, Any] = {"machine": machine(), "command": COMMAND}
    equal = []
    for size, base in [] if given.no_equality else SHAPES:
        network = nvidia_network(given.nvidia, size, base)
        ours = our_network(network, size, base)
        with torch.inference_mode():
            gaps = differences(network, ours)
        equal.append([str(size), str(base), *(f"{value:.1e}" for value in gaps.values())])
        print(*equal[-1], sep="  ", flush=True)
    # built outside of inference mode, whose tensors tell no version: weights would be packed again
    # for every frame
    network = nvidia_network(given.nvidia, 1024, 32768)
    ours = our_network(network, 1024, 32768)
    with torch.inference_mode():
        times = interleaved(runners(network, ours), given.rounds)
    facts["equality"] = {"columns": COLUMNS, "rows": equal}
    facts["table"] = speed_table(times)
    for row in facts["table"]["rows"]:
        print(*row, sep="  ")
    command = [sys.executable, __file__, str(given.nvidia), "--memory"]
    facts["memory"] = json.loads(subprocess.check_output(command))
    print("MB of a process:", facts["memory"])
    if given.json:
        given.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
