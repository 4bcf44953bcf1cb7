"""Rigs of other sizes than the shipped one: read, and used by every stage from encode to view."""

from __future__ import annotations

import numpy as np
import pytest

import facecodec
from facecodec.bitstream import StreamReader, limits
from facecodec.errors import ModelError
from facecodec.rig.rig import MAX_CONTROLS, NUM_POSE, Rig
from tests.helpers.presets import TINY
from tests.helpers.rigs import resized

FRAMES = 4


@pytest.mark.parametrize(("offsets", "expressions"), [(1, 0), (0, 1), (6, 2), (53, 8)])
def test_a_rig_of_another_size_is_read(rig, generator, tmp_path, offsets, expressions):
    resized(rig, offsets, expressions).save(tmp_path / "rig.json")
    read = Rig.load(tmp_path / "rig.json")
    count = NUM_POSE + offsets + expressions
    assert len(read.names) == len(read.regions) == len(read.steps) == count
    assert read.basis(generator).shape == (count, generator.num_styles)
    assert np.isfinite(read.steps).all() and (read.steps > 0).all()


@pytest.mark.parametrize(("offsets", "expressions"), [(0, 0), (54, 8)])
def test_a_rig_that_no_stream_can_hold_is_refused(rig, tmp_path, offsets, expressions):
    assert MAX_CONTROLS == limits.MAX_CONTROLS
    resized(rig, offsets, expressions).save(tmp_path / "rig.json")
    with pytest.raises(ModelError, match="a rig has 4 to 64"):
        Rig.load(tmp_path / "rig.json")


def test_every_stage_takes_a_rig_of_another_size(sample, small_rig, tmp_path, finder):
    path = tmp_path / "small.fcv"
    facecodec.encode(sample, path, rig=small_rig, preset=TINY, tune="light", max_frames=FRAMES)
    with path.open("rb") as file:
        assert StreamReader(file).header.num_controls == 11
    stream = facecodec.open(path, rig=small_rig)
    assert stream.controls.shape == (FRAMES, 11)
    facecodec.decode(path, tmp_path / "small.y4m", rig=small_rig, size=256)
    facecodec.puppet(path, path, tmp_path / "puppet.fcv", rig=small_rig)
    assert facecodec.open(tmp_path / "puppet.fcv", rig=small_rig).controls.shape == (FRAMES, 11)
