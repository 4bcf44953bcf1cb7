"""Fit the map between the rig's controls and the 52 blendshapes, on generated faces.

    python -m training.blendshapes --face-landmarker face_landmarker.task

Needs PyPI `mediapipe` and its model, which scores the blendshapes. People who do not exist are
drawn at rest and at random controls. What each control changes in the scores is fitted by ridge
regression, and written to `facecodec/rig/blendshapes.map`. On people who were kept aside it is
measured how well the map tells the scores of a face (correlation of the difference to the face at
rest), and how well a face that is drawn from scores has them again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import cuda_ops
from facecodec.generator.base import Generator
from facecodec.generator.sampling import draw_latents
from facecodec.metrics.landmarker import Landmarker
from facecodec.models import load_models
from facecodec.rig.blendshapes import MAP, NAMES, Blendshapes
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.types import Controls, Floats, Picture
from facecodec.weights.catalogue import DEFAULT_GENERATOR

DRAWN_SIZE = 256  # side in pixels
TRUNCATION = 0.7
MOVING_SHARE = 0.4  # of controls in a face, so that single ones can be told
CONTROL_SPREAD, POSE_SPREAD = 2.0, 0.7  # standard deviations of those that move
RIDGE = 10.0  # faces' worth of evidence that a control does nothing
SEED = 7
SMALLEST_NOISE = 0.02  # of a score that never changes


class Faces:
    """Draws people, and reads the scores of their faces."""

    def __init__(self, generator: Generator, rig: Rig, read: Landmarker, people: int) -> None:
        self.generator, self.read = generator, read
        self.basis = rig.basis(generator)
        self.latents = draw_latents(generator, people, SEED, TRUNCATION)

    def scores(self, person: int, controls: Controls) -> Floats:
        """Return the scores [N, 52] of a person at controls [N, K], NaN where no face is seen."""
        rows = self.latents[person][None, None].expand(1, self.generator.num_ws, -1)
        found = []
        with torch.inference_mode(), cuda_ops.roughly():
            styles = self.generator.styles(rows)
            for row in controls.astype(np.float32):
                moved = styles + torch.from_numpy(row)[None] @ self.basis
                picture = cuda_ops.rgb8(self.generator.preview(moved, DRAWN_SIZE))[0].numpy()
                found.append(shapes_of(self.read, picture))
        return np.array(found)


def shapes_of(read: Landmarker, picture: Picture) -> Floats:
    """Return the 52 scores of the face in a picture, NaN where there is none."""
    scores = read.scores(picture)
    return np.array([scores.get(name, 0.0) if scores else np.nan for name in NAMES])


def samples(rng: np.random.Generator, count: int, width: int) -> Controls:
    """Return controls [count, width] of which some move."""
    spread = np.full(width, CONTROL_SPREAD)
    spread[:NUM_POSE] = POSE_SPREAD
    moving = rng.random((count, width)) < MOVING_SHARE
    rows: Controls = (rng.standard_normal((count, width)) * spread * moving).astype(np.float32)
    return rows


def drawn(
    faces: Faces, people: range, each: int, width: int
) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield people, with controls [N, K] and how scores differ from theirs at rest [N, 52]."""
    rng = np.random.default_rng(people.start)
    for person in people:
        controls = samples(rng, each, width)
        read = faces.scores(person, np.concatenate([np.zeros((1, width), np.float32), controls]))
        change = read[1:] - read[0]
        seen = np.isfinite(change).all(1)
        yield person, controls[seen].astype(np.float64), change[seen]


def fitted(rig: Rig, controls: Floats, change: Floats) -> Blendshapes:
    """Return the map by ridge regression of changes [N, 52] on controls [N, K]."""
    normal = controls.T @ controls + RIDGE * np.eye(controls.shape[1])
    effects = np.linalg.solve(normal, controls.T @ change).T.astype(np.float64)
    left = (change - controls @ effects.T).std(0)
    noise: Floats = np.maximum(left, SMALLEST_NOISE).astype(np.float64)
    effects[:, :NUM_POSE] = 0
    return Blendshapes(rig.sha256, effects, noise)


def correlations(a: Floats, b: Floats) -> Floats:
    """Return the correlation of each column of a and b, [N, M]; NaN for one that never changes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = a - a.mean(0), b - b.mean(0)
        result: Floats = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return result


def main() -> None:
    """Fit, measure and write the map."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--face-landmarker", type=Path, required=True)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--kept-aside", type=int, default=15)
    parser.add_argument("--faces", type=int, default=20, help="of each person")
    parser.add_argument("-o", "--output", type=Path, default=MAP)
    given = parser.parse_args()
    generator, rig = load_models(DEFAULT_GENERATOR, None, "cpu")
    width, total = len(rig.names), given.people + given.kept_aside
    with Landmarker(given.face_landmarker) as read:
        faces = Faces(generator, rig, read, total)
        known = list(drawn(faces, range(given.people), given.faces, width))
        model = fitted(rig, *(np.concatenate([row[i] for row in known]) for i in (1, 2)))
        model.save(given.output)
        told, seen, again = [], [], []
        for person, controls, change in drawn(
            faces, range(given.people, total), given.faces, width
        ):
            asked = np.clip(change, 0, 1)
            rows = np.concatenate([np.zeros((1, width)), model.controls(asked)])
            read_again = faces.scores(person, rows.astype(np.float32))
            told.append(np.clip(controls @ model.effects.T, 0, 1))
            seen.append(asked)
            again.append(np.clip(read_again[1:] - read_again[0], 0, 1))
    out = correlations(np.concatenate(told), np.concatenate(seen))
    ok = np.isfinite(np.concatenate(again)).all(1)
    back = correlations(np.concatenate(again)[ok], np.concatenate(seen)[ok])
    spread = np.concatenate(seen).std(0)
    print("blendshape | spread | told by the controls | in a face drawn from it")
    for row in zip(NAMES, spread, out, back, strict=True):
        print(f"{row[0]} | {row[1]:.3f} | {row[2]:.2f} | {row[3]:.2f}")
    lively = spread > 0.03
    print(f"mean of the {lively.sum()} that move | | {np.nanmean(out[lively]):.2f} | "
          f"{np.nanmean(back[lively]):.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
