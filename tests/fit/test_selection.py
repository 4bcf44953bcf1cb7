"""Which frames a person is taken from."""

from __future__ import annotations

import numpy as np

from facecodec.face.signals import SIGNALS
from facecodec.fit.selection import select_identity_frame


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
