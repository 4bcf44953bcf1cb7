"""Fit what tells the expression of any face from its landmarks, on generated faces.

    python -m training.neutral

People who do not exist are drawn at random controls, and their landmarks read. Ridge regression
from what their faces do to the controls is written to `facecodec/puppetry/neutral.map`, with what
faces with shut lips do on average. On people who were kept aside it is measured how much of an
expression that was put on a face is found (the slope and correlation of controls), and how far the
lids and lips of their neutral face are from the average.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.face import FaceReader
from facecodec.face.expression import LID_FEATURES, LIP_FEATURES
from facecodec.face.signals import NUM_POSE
from facecodec.generator.sampling import draw_latents
from facecodec.models import FaceModel, load_models
from facecodec.puppetry.neutral import MAP, Neutral
from facecodec.rig.regions import Region
from facecodec.types import Floats
from facecodec.weights.catalogue import DEFAULT_GENERATOR

TRUNCATION, SEED = 0.7, 11
MOVING_SHARE, CONTROL_SPREAD, POSE_SPREAD = 0.4, 1.5, 0.5  # of controls; standard deviations
RIDGE = 20.0  # squared features in a face's worth of evidence, about
SHUT_SHARE = 0.25  # of the faces, those with the smallest gap between the lips


def drawn(model: FaceModel, people: range, each: int) -> tuple[Floats, Floats]:
    """Return controls [N, K] and features [N, 50] of faces in which landmarks are read."""
    generator, rig = model
    rng = np.random.default_rng(people.start)
    controls, features = [], []
    for w in draw_latents(generator, people.stop, SEED, TRUNCATION)[people.start :]:
        latent = w[None].expand(generator.num_ws, -1).cpu().numpy()
        rows = rng.standard_normal((each, len(rig.names))) * CONTROL_SPREAD
        rows *= rng.random(rows.shape) < MOVING_SHARE
        rows[:, :NUM_POSE] *= POSE_SPREAD / CONTROL_SPREAD
        seen = Avatar(model, np.ascontiguousarray(latent)).face_reader()(rows)
        known = np.isfinite(seen).all(1)
        controls.append(rows[known])
        features.append(seen[known])
    return np.concatenate(controls), np.concatenate(features)


def fitted(model: FaceModel, controls: Floats, features: Floats) -> Neutral:
    """Return the map of controls [N, K] on features [N, 50]."""
    rig = model.rig
    middle = features.mean(0)
    away = features - middle
    normal = away.T @ away + RIDGE * len(away) * np.eye(away.shape[1])
    reading = np.linalg.solve(normal, away.T @ controls).T.astype(np.float64)
    reading[[region in (Region.POSE, Region.GAZE) for region in rig.regions]] = 0
    gaps = features[:, LIP_FEATURES].mean(1)
    shut = features[gaps <= np.quantile(gaps, SHUT_SHARE)].mean(0)
    return Neutral(rig.sha256, reading, shut)


def main() -> None:
    """Fit, measure and write the map."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--kept-aside", type=int, default=8)
    parser.add_argument("--faces", type=int, default=6, help="of each person")
    parser.add_argument("-o", "--output", type=Path, default=MAP)
    given = parser.parse_args()
    model = load_models(DEFAULT_GENERATOR, None, "cpu")
    known = fitted(model, *drawn(model, range(given.people), given.faces))
    known.save(given.output)
    total = given.people + given.kept_aside
    controls, features = drawn(model, range(given.people, total), given.faces)
    found = (features - known.features) @ known.reading.T
    for region in ("mouth", "jaw", "eyes", "brows", "expression"):
        which = [number for number, name in enumerate(model.rig.regions) if name == region]
        a, b = controls[:, which].ravel(), found[:, which].ravel()
        print(f"{region}: r {np.corrcoef(a, b)[0, 1]:.2f}, slope {a @ b / (a @ a):.2f}")
    winks(model, known, range(given.people, total))


def winks(model: FaceModel, known: Neutral, people: range) -> None:
    """Print how far lids and lips of neutral faces are from those of faces with shut lips.

    For people as they are, and for the same with an eye half shut and lips apart by the controls.
    """
    generator, rig = model
    names = [title.casefold() for title in rig.shown_titles]
    put_on = np.zeros(len(rig.names))
    for title, value in (("lips part", 2.0), ("eyes close", 1.5)):
        if title in names:
            put_on[names.index(title)] = value
    rows = []
    for w in draw_latents(generator, people.stop, SEED, TRUNCATION)[people.start :]:
        latent = w[None].expand(generator.num_ws, -1).cpu().numpy()
        read = Avatar(model, np.ascontiguousarray(latent)).face_reader()

        worn = partial(_worn, read, put_on)
        before = worn(np.zeros((1, len(put_on))))[0]
        after = worn(known.controls(worn)[None])[0]
        rows.append([known.features - before, known.features - after])
    left = np.array(rows)
    for name, which in (("lids", LID_FEATURES), ("lips", LIP_FEATURES)):
        before, after = (np.nanmean(np.abs(left[:, i, which])) for i in (0, 1))
        print(f"{name}: {before:.1f} from a neutral face's before, {after:.1f} after")


def _worn(read: FaceReader, put_on: Floats, controls: Floats) -> Floats:
    return read(controls + put_on)


if __name__ == "__main__":
    main()
