"""Words that streams contain often, a byte each: the tables of SPEC.md section 1.

Both tables are part of the format. Words may be appended; the order may not change.
"""

from __future__ import annotations

# A text that is one of these is the byte 128 + its place.
WHOLE = (
    "mobilestylegan-ffhq",
    "identity_frame",
    "preset",
    "fast",
    "medium",
    "slow",
    "tune",
    "none",
    "light",
    "full",
    "provenance",
    "aac",
    "mp3",
    "opus",
)
# A text that begins with one of these is the byte 192 + its place, and then the rest of it.
BEGINNINGS = ("facecodec ",)

FIRST_WHOLE = 128
FIRST_BEGINNING = 192
