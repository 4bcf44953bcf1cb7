"""Which frames a person is taken from."""

from __future__ import annotations

import numpy as np

from facecodec.face.signals import SIGNALS
from facecodec.fit.frame_selection import select_identity_frame


def test_eyes_are_open_even_where_the_clip_mostly_looks_down():
    signals = np.zeros((100, len(SIGNALS)))
    eyes = SIGNALS.index("eye_opening")
    signals[:, eyes] = 0.12
    signals[70:90, eyes] = 0.3
    signals[:, SIGNALS.index("yaw")] = 0.1
    signals[80, SIGNALS.index("yaw")] = 0.0
    usable, sharpness = np.ones(100, bool), np.ones(100)
    assert select_identity_frame(signals, usable, sharpness) == 80
    signals[:70, SIGNALS.index("yaw")] = 0.0  # frontal with closed eyes is still not it
    assert select_identity_frame(signals, usable, sharpness) == 80


def test_a_mouth_at_rest_is_shut_and_no_pout_even_where_the_clip_mostly_speaks():
    signals = np.zeros((100, len(SIGNALS)))
    opening, width = SIGNALS.index("mouth_opening"), SIGNALS.index("mouth_width")
    signals[:, opening], signals[:, width] = 0.06, 0.75
    signals[:20, opening], signals[:20, width] = 0.01, 0.8  # at rest
    signals[20, opening], signals[20, width] = 0.01, 0.6  # a pout
    signals[21, width] = 0.8  # speaks, as the clip's median does
    usable, sharpness = np.ones(100, bool), np.ones(100)
    sharpness[20] = 1.2
    assert select_identity_frame(signals, usable, sharpness) < 20
