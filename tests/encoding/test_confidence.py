"""Frames that are badly explained are flagged, also where all of a clip is."""

from __future__ import annotations

import numpy as np

from facecodec.bitstream import FrameFlags
from facecodec.encoding.motion import UNEXPLAINED_RESIDUAL, _unexplained


def test_a_clip_that_is_bad_throughout_is_flagged():
    flags = np.zeros(5, np.uint8)
    assert _unexplained(np.full(5, 1.5 * UNEXPLAINED_RESIDUAL), flags).all()
    assert not _unexplained(np.full(5, 0.5 * UNEXPLAINED_RESIDUAL), flags).any()


def test_a_frame_worse_than_the_rest_is_flagged():
    flags = np.array([0, 0, 0, 0, FrameFlags.NO_FACE], np.uint8)
    residual = np.array([0.02, 0.02, 0.02, 0.05, 1])
    assert _unexplained(residual, flags).tolist() == [False, False, False, True, False]
