"""Frames of the source's size: what a stream's header says of it is not believed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from facecodec.bitstream import ContextPictures, ContextPlate, FrameFlags, FrameRecord
from facecodec.context.av1 import CODEC, CODEC_WITH_FACE, encode_after
from facecodec.decoding.canvas import Canvas
from facecodec.errors import FacecodecError
from tests.helpers import toy_streams as streams


@pytest.mark.parametrize("size", [(65535, 65535), (16384, 16384), (65535, 100)])
def test_a_header_cannot_ask_for_any_memory(size):
    header = streams.header(width=size[0], height=size[1])
    with pytest.raises(FacecodecError, match="pixels, and no"):
        Canvas(header, "source", None, 256)
    assert Canvas(header, "face", None, 256).size == (256, 256)


def test_a_recorded_face_is_retouched_by_a_context_that_shows_it():
    picture = np.full((96, 128, 3), 90, np.uint8)
    data, later = encode_after(picture, [picture], 30, Fraction(5))
    frame = FrameRecord(0, 0, np.zeros(3, np.float32), np.zeros(4, np.float32), FrameFlags(0))
    recorded = streams.header(width=256, height=192)
    made_up = replace(recorded, metadata={"provenance": "edited"})
    cases = [
        (recorded, CODEC_WITH_FACE, True),
        (recorded, CODEC, False),
        (made_up, CODEC_WITH_FACE, False),
    ]
    for header, codec, retouched in cases:
        plate = ContextPlate(codec, 128, 96, data)
        canvas = Canvas(header, "source", None, 256, plate)
        canvas.take(ContextPictures((0,), (later,)))
        assert canvas.retouches(frame) == retouched
