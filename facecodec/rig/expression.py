"""Expression axes: directions in W that do what no single channel does, such as a wide shout."""

from __future__ import annotations

import numpy as np

from facecodec.face.expression import NUM_POSE, expression
from facecodec.generator.sampling import Sample
from facecodec.rig.rig import ExpressionAxis

NUM_AXES = 8


def find_expression_axes(sample: Sample) -> tuple[ExpressionAxis, ...]:
    """Return `NUM_AXES` expression axes, each a standard deviation of what faces do.

    The expressions are the principal components of the faces' features, each in units of its
    standard deviation once the turning of heads is taken out; W is regressed on them and on the
    pose, as for a pose axis.
    """
    features = np.array([expression(points) for points in sample.landmarks])
    pose = features[:, :NUM_POSE]
    turned = np.c_[(pose - pose.mean(0)) / pose.std(0), np.ones(len(pose))]
    does = features[:, NUM_POSE:]
    still = does - turned @ np.linalg.lstsq(turned, does, rcond=None)[0]
    amounts, _, _ = np.linalg.svd(still / still.std(0), full_matrices=False)
    unit = amounts[:, :NUM_AXES] * np.sqrt(len(amounts))
    w = sample.w.cpu().numpy().astype(np.float64)
    directions = np.linalg.lstsq(np.c_[unit, turned], w, rcond=None)[0][:NUM_AXES]
    return tuple(
        ExpressionAxis(f"expression {k + 1}", tuple(direction.round(5).tolist()))
        for k, direction in enumerate(directions)
    )
