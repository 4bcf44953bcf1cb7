"""Lost keyframes are found anew by the landmarks of the clip's own frames."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from facecodec.clip.scan import Scan
from facecodec.fit.objective import Target
from facecodec.fit.recovery import Recover, recovered
from facecodec.fit.response import Response
from facecodec.fit.tracking import Tracker
from facecodec.generator.base import Generator
from facecodec.models import landmark_finder
from facecodec.puppetry.retarget import Face, read_features


def recovery(
    generator: Generator, found: Scan, chosen: Sequence[int], targets: Sequence[Target]
) -> Recover:
    """Return what a fit to the `chosen` frames asks for better controls; `targets` are theirs."""
    find, wanted = landmark_finder(), read_features(found)[list(chosen)]

    def recover(tracker: Tracker, now: Response, controls: Tensor) -> Tensor:
        return recovered(tracker, Face(generator, now, find), targets, wanted, controls)

    return recover
