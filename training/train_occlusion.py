"""Train the network that finds occlusions, on generated faces with hands and things before them.

    python training/train_occlusion.py --faces faces.npz --write

Faces of the default generator are drawn, at random controls, and kept in `--faces` for the next
run. `occluders.py` draws a hand or a thing over two thirds of them, and every picture is changed as
cameras do. Only the inner face and what is around it is taught: a generated background may show
another person's hand. The last faces are held out: of them, the overlap (intersection over union)
of what is found with what is covered, and how much is found on bare faces, are printed as it goes.
`--write` puts the weights into facecodec/face/occlusion.safetensors, in float16.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from faces import draw
from numpy.typing import NDArray
from occluders import covered, seen_by_a_camera
from safetensors.numpy import save_file
from torch import Tensor

from facecodec.clip.occlusion import RELIABLE_MARGIN_PIXELS
from facecodec.clip.scan import SQUARE_PIXELS
from facecodec.face import occlusion
from facecodec.face.mask import face_mask

SIZE = occlusion.INPUT_SIZE
HELD_OUT = 150  # faces that are never trained on
TAUGHT_MARGIN_PIXELS = RELIABLE_MARGIN_PIXELS * SIZE // SQUARE_PIXELS  # around the inner face
JITTER = 5  # pixels by which squares are off
BATCH, RATE, WARM_UP = 16, 2e-3, 100
Random = np.random.Generator


class Examples:
    """Faces with something before them, or not: generated for every batch."""

    def __init__(self, faces: NDArray[np.uint8], landmarks: NDArray[np.float64]) -> None:
        """`faces` [N, S, S, 3] and their landmarks [N, 68, 2] in units of the square."""
        self.faces = faces
        self.inner = np.array([face_mask(points * SIZE, SIZE) for points in landmarks])
        inside = torch.from_numpy(self.inner)[:, None].float()
        around = F.max_pool2d(inside, 2 * TAUGHT_MARGIN_PIXELS + 1, 1, TAUGHT_MARGIN_PIXELS)
        self.taught = around[:, 0].numpy()

    def one(self, rng: Random, i: int) -> list[NDArray[np.float32]]:
        """Return a picture [S, S, 3] of 0 to 1, what is covered in it, and what is taught of it."""
        other = self.faces[rng.integers(len(self.faces))].astype(np.float32) / 255
        face = self.faces[i].astype(np.float32) / 255
        picture, mask = covered(rng, face, self.inner[i], other)
        maps = [seen_by_a_camera(rng, picture), mask, self.taught[i]]
        if rng.random() < 0.5:
            maps = [a[:, ::-1] for a in maps]
        shift = tuple(int(v) for v in rng.integers(-JITTER, JITTER + 1, 2))
        return [np.roll(a, shift, (0, 1)) for a in maps]

    def batch(self, rng: Random, count: int, low: int, high: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return pictures in [-1, 1], and masks and weights at half their size."""
        rows = [self.one(rng, int(i)) for i in rng.integers(low, high, count)]
        pictures, masks, taught = (
            torch.from_numpy(np.stack(column)).float() for column in zip(*rows, strict=True)
        )
        small = [F.avg_pool2d(a[:, None], 2) for a in (masks, taught)]
        return pictures.permute(0, 3, 1, 2).mul(2).sub(1).contiguous(), small[0], small[1]


def judge(net: torch.nn.Module, held: tuple[Tensor, Tensor, Tensor]) -> tuple[float, float]:
    """Return the overlap with what is covered, and the share marked on bare faces [N, ...]."""
    pictures, masks, taught = held
    net.eval()
    with torch.inference_mode():
        marked = net(pictures) > 0
    net.train()
    wanted, there = masks > 0.5, taught > 0.5
    bare = ~(wanted & there).flatten(1).any(1)
    overlap = (marked & wanted & there).sum() / ((marked | wanted) & there).sum()
    false = (marked & there)[bare].sum() / there[bare].sum()
    return float(overlap), float(false)


def train(examples: Examples, steps: int, seed: int) -> occlusion.OcclusionNetwork:
    """Return a network trained for `steps` batches."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = occlusion.OcclusionNetwork().train()
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-4)
    ahead = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, steps, pct_start=WARM_UP / steps, cycle_momentum=False
    )
    count = len(examples.faces)
    held = examples.batch(np.random.default_rng(9), HELD_OUT, count - HELD_OUT, count)
    begin, mean = time.perf_counter(), 0.0
    for step in range(1, steps + 1):
        pictures, masks, taught = examples.batch(rng, BATCH, 0, count - HELD_OUT)
        each = F.binary_cross_entropy_with_logits(net(pictures), masks, reduction="none")
        loss = (each * taught).sum() / taught.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ahead.step()
        mean += (loss.item() - mean) / min(step, 100)
        if step % 100 == 0 or step == steps:
            overlap, false = judge(net, held)
            print(
                f"step {step}, {time.perf_counter() - begin:.0f} s: loss {mean:.4f}, "
                f"overlap {overlap:.3f}, found on bare faces {false:.4f}", flush=True,
            )  # fmt: skip
    return net.eval()


def main() -> None:
    """Run the training."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--count", type=int, default=2500)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if not given.faces.is_file():
        faces, landmarks = draw(given.count, given.seed, SIZE)
        np.savez(given.faces, faces=faces, landmarks=landmarks)
    with np.load(given.faces) as stored:
        examples = Examples(stored["faces"], stored["landmarks"])
    net = train(examples, given.steps, given.seed)
    if given.write:
        weights = {k: v.numpy().astype(np.float16) for k, v in net.state_dict().items()}
        save_file(weights, Path(occlusion.__file__).with_name(occlusion.WEIGHTS))


if __name__ == "__main__":
    main()
