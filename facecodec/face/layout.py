"""Which of the 68 landmarks is which (the layout of iBUG 300-W, which dlib's predictor follows)."""

from __future__ import annotations

NUM_LANDMARKS = 68
JAW = slice(0, 17)
BROWS = slice(17, 27)
NOSE_BASE = slice(31, 36)  # the row of points below the nostrils
LEFT_EYE = slice(36, 42)  # the eye on the left of the picture
RIGHT_EYE = slice(42, 48)
EYES = slice(36, 48)
MOUTH = slice(48, 68)
MOUTH_OUTER = slice(48, 60)
NOSE_TIP = 30
MOUTH_CORNERS = (48, 54)  # left and right in the picture
