"""Train the network of the matte, on generated faces before backgrounds of many kinds.

    python training/train_matte.py --faces FOLDER --draw
    teacher/bin/python training/matte_teacher.py FOLDER/*.npz
    python training/train_matte.py --faces FOLDER --write

First, faces of the default generator are drawn at random controls; then the segmenter of another
package says what is a person in them (`matte_teacher.py`); then the network is trained. No picture
of a real person is used. In two pictures of three the person is laid before another background
(`rooms.py`), with its colours freed from the wall that it had. Every picture is shifted, turned and
enlarged a little, and changed as cameras do. What the head is follows from the landmarks: the
person, fading out below the chin. The last faces are held out; of them, the mean difference of
person and head from the teacher's are printed as it goes. `--write` puts the weights into
facecodec/face/matte.safetensors, in float16, with the SHA-256 of the generator.

The file that ships (SHA-256 in `docs/compositing.md`) was made by these commands with their
defaults: 1370 faces, 2000 steps of 16. On one core of an Intel Xeon with AVX-512 and AMX the faces
took 2.5 minutes, the teacher half a minute and the training 24 minutes of a busy core. The colours
of a person before another background were then freed from the wall by an earlier, coarser
`foreground`, so that a training of today gives other weights, of the same kind.
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
from occluders import seen_by_a_camera
from rooms import room
from safetensors.numpy import save_file
from torch import Tensor

from facecodec.compositing.foreground import foreground
from facecodec.face import matte
from facecodec.face.layout import CHIN, MOUTH
from facecodec.face.signals import eye_centres
from facecodec.weights.catalogue import DEFAULT_GENERATOR
from facecodec.weights.store import read_record

SIZE = matte.INPUT_SIZE
DRAWN_SIZE = 256  # side in pixels of the faces that the teacher is shown
DRAWN_FILES, DRAWN_FACES = 4, 350
HELD_OUT = 100  # faces that are never trained on
# Where the head fades out, in distances of eyes and chin below the chin:
HEAD_END_FROM, HEAD_END_TO = 0.03, 0.22
REPLACED = 0.67  # share of pictures that have another background
TURN, ENLARGED, SHIFT = 0.15, (0.95, 1.25), 0.12  # radians; factors; shares of the side
# The teacher is not sure where it is neither sure of a person nor of none within some pixels.
UNSURE_WINDOW, SURE_PERSON, SURE_NONE, UNSURE_WEIGHT = 13, 0.9, 0.1, 0.05
EDGE_WEIGHT = 3.0  # added to the weight of pixels that are partly person
BATCH, RATE, WARM_UP = 16, 3e-3, 100
Random = np.random.Generator


def head_end(points: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """Return where a head with landmarks [68, 2], 0 to 1, has not ended, [size, size] of 0 to 1."""
    eyes = np.mean(eye_centres(points), axis=0)
    down = points[MOUTH].mean(0) - eyes
    down /= np.linalg.norm(down)
    length = (points[CHIN] - eyes) @ down
    axis = (np.arange(size) + 0.5) / size
    below = (axis[None, :] - points[CHIN][0]) * down[0] + (axis[:, None] - points[CHIN][1]) * down[
        1
    ]
    t = np.clip((below / length - HEAD_END_FROM) / (HEAD_END_TO - HEAD_END_FROM), 0, 1)
    ends: NDArray[np.float32] = (1 - t * t * (3 - 2 * t)).astype(np.float32)
    return ends


class Examples:
    """Faces before their own background or another: made for every batch."""

    def __init__(self, folder: Path) -> None:
        """Read the faces in a folder, and what their teacher says."""
        faces, fronts, persons, ends = [], [], [], []
        for path in sorted(folder.glob("*.npz")):
            with np.load(path) as stored:
                pictures, landmarks = stored["faces"], stored["landmarks"]
            for picture, person, points in zip(
                pictures, np.load(path.with_suffix(".person.npy")), landmarks, strict=True
            ):
                levels = torch.from_numpy(picture).permute(2, 0, 1).float()
                alpha = torch.from_numpy(person).float() / 255
                front = foreground(levels, alpha)
                half = [F.avg_pool2d(m[None], 2)[0].numpy() for m in (levels, front, alpha[None])]
                faces.append(half[0].transpose(1, 2, 0).astype(np.float16) / np.float16(255))
                fronts.append(half[1].transpose(1, 2, 0).astype(np.float16) / np.float16(255))
                persons.append(half[2][0].astype(np.float16))
                ends.append(head_end(points, SIZE).astype(np.float16))
        self.faces, self.fronts = np.array(faces), np.array(fronts)
        self.persons, self.ends = np.array(persons), np.array(ends)
        alphas = torch.from_numpy(self.persons).float()[:, None]
        most = F.max_pool2d(alphas, UNSURE_WINDOW, 1, UNSURE_WINDOW // 2)
        least = -F.max_pool2d(-alphas, UNSURE_WINDOW, 1, UNSURE_WINDOW // 2)
        soft = (alphas > SURE_NONE) & (alphas < SURE_PERSON)
        unsure = soft & ((most < SURE_PERSON) | (least > SURE_NONE))
        self.sure = 1 - (1 - UNSURE_WEIGHT) * unsure[:, 0].float().numpy()

    def one(self, rng: Random, i: int) -> NDArray[np.float32]:
        """Return a picture of 0 to 1, person, head and weight, [S, S, 6]."""
        person = self.persons[i].astype(np.float32)
        picture = self.faces[i].astype(np.float32)
        if rng.random() < REPLACED:
            k = int(rng.integers(len(self.faces)))
            behind = room(
                rng, SIZE, self.faces[k].astype(np.float32), self.persons[k].astype(np.float32)
            )
            front = self.fronts[i].astype(np.float32)
            picture = behind + person[..., None] * (front - behind)
        picture = seen_by_a_camera(rng, picture)
        head = person * self.ends[i]
        weight = self.sure[i] * (1 + EDGE_WEIGHT * 4 * person * (1 - person))
        return np.dstack([picture, person, head, weight]).astype(np.float32)

    def batch(self, rng: Random, count: int, low: int, high: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return pictures in [-1, 1], person and head, and weights."""
        rows = np.stack([self.one(rng, int(i)) for i in rng.integers(low, high, count)])
        maps = torch.from_numpy(rows).permute(0, 3, 1, 2)
        turn = torch.from_numpy(rng.uniform(-TURN, TURN, count)).float()
        zoom = 1 / torch.from_numpy(rng.uniform(*ENLARGED, count)).float()
        mirror = torch.from_numpy(rng.choice([-1.0, 1.0], count)).float()
        shift = torch.from_numpy(rng.uniform(-SHIFT, SHIFT, (count, 2))).float()
        cos, sin = zoom * turn.cos(), zoom * turn.sin()
        rows_of = [
            torch.stack([mirror * cos, -sin, shift[:, 0]], 1),
            torch.stack([mirror * sin, cos, shift[:, 1] * 0.5], 1),
        ]
        grid = F.affine_grid(torch.stack(rows_of, 1), list(maps.shape), align_corners=False)
        maps = F.grid_sample(maps, grid, padding_mode="reflection", align_corners=False)
        return maps[:, :3] * 2 - 1, maps[:, 3:5], maps[:, 5:]


def judge(net: torch.nn.Module, held: tuple[Tensor, Tensor, Tensor]) -> list[float]:
    """Return the mean differences of person and head from the teacher's, where it is sure."""
    pictures, wanted, weights = held
    net.eval()
    with torch.inference_mode():
        off = (net(pictures).sigmoid() - wanted).abs() * weights
    net.train()
    return [float(v) for v in off.mean((0, 2, 3)) / weights.mean()]


def train(examples: Examples, steps: int, seed: int) -> matte.MatteNetwork:
    """Return a network trained for `steps` batches."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = matte.MatteNetwork().train()
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-4)
    ahead = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, steps, pct_start=WARM_UP / steps, cycle_momentum=False
    )
    count = len(examples.faces)
    held = examples.batch(np.random.default_rng(9), HELD_OUT, count - HELD_OUT, count)
    begin, mean = time.perf_counter(), 0.0
    for step in range(1, steps + 1):
        pictures, wanted, weights = examples.batch(rng, BATCH, 0, count - HELD_OUT)
        logits = net(pictures)
        each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        each = each + (logits.sigmoid() - wanted).abs()
        loss = (each * weights).sum() / weights.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ahead.step()
        mean += (loss.item() - mean) / min(step, 100)
        if step % 100 == 0 or step == steps:
            person, head = judge(net, held)
            print(
                f"step {step}, {time.perf_counter() - begin:.0f} s: loss {mean:.4f}, "
                f"off by {person:.4f} of person and {head:.4f} of head", flush=True,
            )  # fmt: skip
    return net.eval()


def main() -> None:
    """Run a stage of the training."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--draw", action="store_true", help="draw the faces, and no more")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if given.draw:
        given.faces.mkdir(parents=True, exist_ok=True)
        for seed in range(given.seed, given.seed + DRAWN_FILES):
            faces, landmarks = draw(DRAWN_FACES, seed, DRAWN_SIZE)
            np.savez(given.faces / f"{seed}.npz", faces=faces, landmarks=landmarks)
        return
    net = train(Examples(given.faces), given.steps, given.seed)
    if given.write:
        weights = {k: v.numpy().astype(np.float16) for k, v in net.state_dict().items()}
        facts = {"generator": read_record(DEFAULT_GENERATOR).sha256}
        save_file(weights, Path(matte.__file__).with_name(matte.WEIGHTS), facts)


if __name__ == "__main__":
    main()
