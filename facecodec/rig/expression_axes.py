"""Expression axes: directions in W that do what no single channel does, such as a wide shout."""

from __future__ import annotations

import numpy as np

from facecodec.face.expression import expression
from facecodec.face.signals import NUM_POSE
from facecodec.generator.sampling import Sample
from facecodec.rig.rig import ExpressionAxis

NUM_AXES = 8
DIGITS = 5  # decimal places that are kept of a direction's numbers


def find_expression_axes(sample: Sample) -> tuple[ExpressionAxis, ...]:
    """Return `NUM_AXES` expression axes, each a standard deviation of the faces' expressions.

    The expressions are the principal components of the faces' features, each in units of its
    standard deviation once the influence of the pose is taken out. W is regressed on them and on
    the pose, as for a pose axis.
    """
    features = np.array([expression(points) for points in sample.landmarks])
    pose, offsets = features[:, :NUM_POSE], features[:, NUM_POSE:]
    pose_and_one = np.c_[(pose - pose.mean(0)) / pose.std(0), np.ones(len(pose))]
    explained = pose_and_one @ np.linalg.lstsq(pose_and_one, offsets, rcond=None)[0]
    frontal = offsets - explained
    components, _, _ = np.linalg.svd(frontal / frontal.std(0), full_matrices=False)
    unit = components[:, :NUM_AXES] * np.sqrt(len(components))
    w = sample.w.cpu().numpy().astype(np.float64)
    directions = np.linalg.lstsq(np.c_[unit, pose_and_one], w, rcond=None)[0][:NUM_AXES]
    return tuple(
        ExpressionAxis(f"expression {k + 1}", tuple(direction.round(DIGITS).tolist()))
        for k, direction in enumerate(directions)
    )
