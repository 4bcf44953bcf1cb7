"""Frames of the source's size: what a stream's header says of it is not believed."""

from __future__ import annotations

import pytest

from facecodec.decoding.canvas import Canvas
from facecodec.errors import FacecodecError
from tests.helpers import toy_streams as streams


@pytest.mark.parametrize("size", [(65535, 65535), (16384, 16384), (65535, 100)])
def test_a_header_cannot_ask_for_any_memory(size):
    header = streams.header(width=size[0], height=size[1])
    with pytest.raises(FacecodecError, match="pixels, and no"):
        Canvas(header, "source", None, 256)
    assert Canvas(header, "face", None, 256).size == (256, 256)
