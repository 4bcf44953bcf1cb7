"""Which of the 68 landmarks is which (the layout of iBUG 300-W, which dlib's predictor follows).

Left and right are those of the picture.
"""

from __future__ import annotations

NUM_LANDMARKS = 68
JAW_LEFT, JAW_RIGHT = slice(1, 4), slice(13, 16)  # sides of the jaw line below the ears
CHIN = 8  # the lowest point of the jaw line
BROWS = slice(17, 27)
LEFT_BROW, RIGHT_BROW = slice(17, 22), slice(22, 27)
NOSE_TIP = 30
NOSE_UNDERSIDE = 33  # the point between the nostrils
NOSE_BASE = slice(31, 36)  # the row of points below the nostrils
EYES = slice(36, 48)
LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)
# Of an eye's six points: the corners, and the lids from left to right.
EYE_CORNERS, UPPER_LID, LOWER_LID = (0, 3), (1, 2), (5, 4)
MOUTH = slice(48, 68)
MOUTH_CORNERS = (48, 54)
UPPER_LIP, LOWER_LIP = (61, 62, 63), (67, 66, 65)  # inner edges, from left to right
UPPER_LIP_EDGE, LOWER_LIP_EDGE = (50, 51, 52), (58, 57, 56)  # outer edges, likewise
