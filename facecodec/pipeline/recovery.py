"""Lost keyframes are found anew, or reached, by the landmarks of the clip's own frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from facecodec.fit.comparison import Comparison
from facecodec.fit.objective import Target
from facecodec.fit.reaching import Reach, reached
from facecodec.fit.recovery import Recover, recovered
from facecodec.fit.response import Response
from facecodec.fit.tracking import Tracker
from facecodec.generator.base import Generator
from facecodec.pipeline.models import landmark_finder
from facecodec.pipeline.retarget import Face, read_features
from facecodec.pipeline.scan import Scan
from facecodec.rig.rig import Rig


def recovery(
    generator: Generator, found: Scan, chosen: Sequence[int], targets: Sequence[Target]
) -> Recover:
    """Return what a fit to the `chosen` frames asks for better controls; `targets` are theirs."""
    find, wanted = landmark_finder(), read_features(found)[list(chosen)]

    def recover(tracker: Tracker, now: Response, controls: Tensor) -> Tensor:
        return recovered(tracker, Face(generator, now, find), targets, wanted, controls)

    return recover


def reaching(
    generator: Generator, rig: Rig, response: Response, found: Scan, chosen: Sequence[int]
) -> Reach | None:
    """Return what a tuning of a person asks for the responses it begins with.

    None for a rig without expressions.
    """
    if not rig.expressions:
        return None
    find, wanted = landmark_finder(), read_features(found)[list(chosen)]
    axes = rig.axes(generator)
    readings = np.array([axis.reading for axis in rig.expressions])

    def reach(compare: Comparison, controls: Tensor) -> Tensor:
        def look(person: Response) -> Face:
            return Face(generator, person, find)

        return reached(generator, response, axes, readings, compare, wanted, controls, look)

    return reach
