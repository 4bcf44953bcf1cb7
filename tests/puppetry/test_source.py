"""The person of a puppet whose source is no file of a person: found, and tuned."""

from __future__ import annotations

import facecodec
from facecodec.video.reader import VideoReader
from facecodec.video.still import encode_png
from tests.helpers.presets import TINY
from tests.helpers.streams import make_stream


def test_a_picture_is_tuned_unless_that_is_not_wanted(sample, generator, rig, tmp_path):
    driver = make_stream(tmp_path / "driver.fcv", generator, rig, 2)
    with VideoReader(sample) as reader:
        first = next(iter(reader.frames())).image
    (tmp_path / "her.png").write_bytes(encode_png(first))
    tuned = {}
    for tune in (None, "none"):
        output = tmp_path / f"{tune}.fcv"
        facecodec.puppet(tmp_path / "her.png", driver, output, preset=TINY, tune=tune,
                         retarget=False)  # fmt: skip
        tuned[tune] = facecodec.open(output).avatar.tuning
    assert tuned["none"] is None
    assert tuned[None] is not None and tuned[None].kind == "small"
