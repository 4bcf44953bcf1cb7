"""Make stylegan2.npz: styles and pictures of the original implementations on seeded weights.

    python -m tests.vectors.make_stylegan2 --nvidia DIR --stylegan3 DIR --rosinality DIR

DIR are clones of NVlabs/stylegan2-ada-pytorch, NVlabs/stylegan3 and rosinality/stylegan2-pytorch.
Their code runs as it is, on the CPU and in float32; each runs in a process of its own, because two
of them use the same package names.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch

from facecodec.generator.stylegan2_layout import Layout
from tests.helpers.checkpoints import SMALL, random_tensors, rosinality_state

OUTPUT = Path(__file__).with_name("stylegan2.npz")
CLAMPED = Layout(SMALL.channels, SMALL.mapping_layers, noise=True, clamp=True)
FULL_WIDTH = Layout((512, 512, 512), mapping_layers=8, noise=True, clamp=False)


def inputs(seed: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return z [2, 512] and offsets of W+ rows [2, rows, 512]."""
    noise = np.random.Generator(np.random.PCG64(seed))
    z, rows_moved = noise.standard_normal((2, 512)), noise.standard_normal((2, rows, 512))
    return torch.tensor(z, dtype=torch.float32), torch.tensor(0.1 * rows_moved, dtype=torch.float32)


def nvidia(folder: str, layout: Layout, package: str) -> dict[str, np.ndarray]:
    """Run NVIDIA's network; `package` is 'ada' or 'stylegan3'."""
    sys.path.insert(0, folder)
    for missing in ("requests", "pkg_resources"):  # imported there, not needed here
        sys.modules.setdefault(missing, types.ModuleType(missing))
    sys.modules["pkg_resources"].parse_version = lambda text: (2, 0)
    size, widest = layout.resolution, max(layout.channels)
    shared = {"channel_base": layout.channels[-1] * size, "channel_max": widest}
    clamp = 2.5 if layout.clamp else None
    if package == "ada":
        from training.networks import Generator

        options = {"synthesis_kwargs": dict(**shared, conv_clamp=clamp)}
    else:
        from training.networks_stylegan2 import Generator

        options = dict(**shared, conv_clamp=clamp)
    network = Generator(512, 0, 512, size, 3, mapping_kwargs={"num_layers": 8}, **options)
    tensors = random_tensors(layout)
    state = {k: torch.tensor(v) for k, v in tensors.items() if k != "synthesis.clamp"}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("resample_filter") for name in missing)
    network.eval().requires_grad_(False)
    z, moved = inputs(1, layout.num_ws)
    w_plus = network.mapping(z, None)
    w = w_plus[:, 0]
    w_plus = w_plus + moved
    styles: list[torch.Tensor] = []
    for module in network.modules():
        if hasattr(module, "affine"):
            module.affine.register_forward_hook(lambda m, i, out: styles.append(out))
    picture = network.synthesis(w_plus, noise_mode="const")
    arrays = {"w": w, "styles": torch.cat(styles, 1), "picture": picture[: 1 if clamp else 2]}
    if package == "ada":
        arrays["quiet"] = network.synthesis(w_plus[:1], noise_mode="none")
    return {key: value.numpy() for key, value in arrays.items()}


def rosinality(folder: str, layout: Layout) -> dict[str, np.ndarray]:
    """Run rosinality's network, its CUDA extension left unbuilt."""
    import torch.utils.cpp_extension

    torch.utils.cpp_extension.load = lambda *_, **__: None
    sys.path.insert(0, folder)
    from model import Generator

    network = Generator(layout.resolution, 512, 8)
    network.load_state_dict(rosinality_state(random_tensors(layout)))
    network.eval().requires_grad_(False)
    z, moved = inputs(1, layout.num_ws)
    w = network.style(z)
    picture, _ = network([w[:, None] + moved], input_is_latent=True, randomize_noise=False)
    return {"w": w.numpy(), "picture": picture.numpy()}


CASES = {
    "ada": lambda args: nvidia(args.nvidia, SMALL, "ada"),
    "stylegan3": lambda args: nvidia(args.stylegan3, CLAMPED, "stylegan3"),
    "rosinality": lambda args: rosinality(args.rosinality, FULL_WIDTH),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("nvidia", "stylegan3", "rosinality"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--into", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        np.savez(args.into, **CASES[args.case](args))
        return
    vectors: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            into = f"{folder}/{case}.npz"
            command = [sys.executable, "-m", "tests.vectors.make_stylegan2", *sys.argv[1:]]
            command += ["--case", case, "--into", into]
            subprocess.run(command, check=True)
            vectors |= {f"{case}.{key}": value for key, value in np.load(into).items()}
    np.savez_compressed(OUTPUT, **vectors)


if __name__ == "__main__":
    main()
