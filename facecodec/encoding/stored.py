"""A clip's motion as its stream stores it: with steps and levels that suit its person."""

from __future__ import annotations

from dataclasses import replace

from facecodec.bitstream import StreamHeader
from facecodec.encoding.motion import Motion
from facecodec.fit.quantising import quantised
from facecodec.rig.rig import Rig


def stored(header: StreamHeader, rig: Rig, motion: Motion) -> tuple[StreamHeader, Motion]:
    """Return a header with the person's steps, and motion in whole numbers of them.

    As they are for exact precisions, and for motion without information. Raises UsageError for
    controls that a stream cannot carry.
    """
    if header.precision != "quantised" or motion.information is None:
        return header, motion
    made = quantised(motion.controls, rig.steps, motion.information, header.quality)
    return replace(header, control_steps=made.steps), replace(motion, controls=made.controls)
