"""Regions: the parts of a face that controls act on."""

from __future__ import annotations

from enum import StrEnum

from facecodec.face.layout import BROWS, EYES, MOUTH, NUM_LANDMARKS


class Region(StrEnum):
    """What a control moves: a part of the face, the head's pose, or the whole expression."""

    MOUTH = "mouth"
    JAW = "jaw"
    EYES = "eyes"
    GAZE = "gaze"
    BROWS = "brows"
    POSE = "pose"
    EXPRESSION = "expression"


OUTSIDE = "outside"  # the mask of what is in no region
WHOLE_PICTURE = "all"  # the mask of everything
CHIN_AND_JAW = slice(5, 12)  # landmarks of the jaw line without its upper ends
PUPILS = slice(NUM_LANDMARKS, NUM_LANDMARKS + 2)  # the eye centres, which follow the landmarks

# region -> (landmarks, standard deviation of the Gaussian around each in eye distances)
REGION_LANDMARKS: dict[Region, tuple[slice, float]] = {
    Region.MOUTH: (MOUTH, 0.12),
    Region.JAW: (CHIN_AND_JAW, 0.22),
    Region.EYES: (EYES, 0.10),
    Region.GAZE: (PUPILS, 0.07),
    Region.BROWS: (BROWS, 0.12),
}
# How many channels a rig has for each region; whole expressions are its other offsets.
QUOTAS: dict[Region, int] = {
    Region.MOUTH: 9,
    Region.JAW: 4,
    Region.EYES: 5,
    Region.BROWS: 4,
    Region.GAZE: 2,
}
