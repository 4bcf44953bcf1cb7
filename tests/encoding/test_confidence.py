"""Frames that are badly explained are flagged, also where all of a clip is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from facecodec.bitstream import FrameFlags
from facecodec.cli.encode import told
from facecodec.encoding.motion import UNEXPLAINED_RESIDUAL, Motion, _unexplained
from facecodec.encoding.summary import why_flagged


def test_a_clip_that_is_bad_throughout_is_flagged():
    flags = np.zeros(5, np.uint8)
    assert _unexplained(np.full(5, 1.5 * UNEXPLAINED_RESIDUAL), flags).all()
    assert not _unexplained(np.full(5, 0.5 * UNEXPLAINED_RESIDUAL), flags).any()


def test_a_frame_worse_than_the_rest_is_flagged():
    flags = np.array([0, 0, 0, 0, FrameFlags.NO_FACE], np.uint8)
    residual = np.array([0.02, 0.02, 0.02, 0.05, 1])
    assert _unexplained(residual, flags).tolist() == [False, False, False, True, False]


def test_every_flag_has_its_reason():
    low, none = FrameFlags.LOW_CONFIDENCE, FrameFlags.NO_FACE
    flags = np.array([0, low, low, low, none, none, none, 0], np.uint8)
    clip = SimpleNamespace(
        times=5 + np.arange(8) / 25,
        seen=np.array([1, 1, 0, 1, 0, 0, 0, 1], bool),
        occluded=np.array([0, 1, 0, 0, 0, 0, 0, 0], bool),
        other=np.array([0, 0, 0, 0, 1, 0, 0, 0], bool),
    )
    found = why_flagged(clip, Motion(np.zeros((8, 3), np.float32), flags, np.zeros(8), None))
    assert [(run.first, run.last, run.flag) for run in found] == [
        (1, 1, "low confidence: something hides the face"),
        (2, 2, "low confidence: no landmarks for a moment"),
        (3, 3, "low confidence: a large residual"),
        (4, 4, "no face: somebody else"),
        (5, 6, "no face: no landmarks"),
    ]
    assert (found[4].start, found[4].end) == (0.2, 0.24)
    assert told(found, all_=False) == [
        "frame 1 (0.04 s): low confidence: something hides the face",
        "frame 2 (0.08 s): low confidence: no landmarks for a moment",
        "frame 3 (0.12 s): low confidence: a large residual",
        "frame 4 (0.16 s): no face: somebody else",
        "1 more; -v lists them all",
    ]
    assert told(found, all_=True)[4] == "frames 5 to 6 (0.20 to 0.24 s): no face: no landmarks"
