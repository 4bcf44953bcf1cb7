"""A clip that is tracked in parts: who tracks them makes no difference, and they cover it."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

import facecodec
import facecodec.encoding.encode as encoding
from facecodec.bitstream import FrameFlags
from facecodec.encoding import motion, parts
from facecodec.encoding.parts import PREPARATION, PartDone, Parts
from facecodec.errors import UsageError
from facecodec.lock import hold
from tests.helpers.batch_work import short_parts
from tests.helpers.presets import TINY, finding_once

FRAMES = 6


@pytest.fixture
def tiny_parts():
    with short_parts():
        yield


def test_parts_cover_a_clip():
    for frames in (1, 99, 199, 200, 1003, 90_000):
        for count in (1, 2, 4, 7):
            spans = Parts(count).spans(frames)
            assert spans[0][0] == 0 and spans[-1][1] == frames
            assert all(one[1] == other[0] for one, other in zip(spans, spans[1:], strict=False))
            assert len(spans) == max(1, min(count, frames // parts.LEAST_FRAMES))


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_parts", "pose_alone")
def test_the_same_whoever_tracks_them(sample, generator, finder, tmp_path):
    def encode(name, which, **given):
        return facecodec.encode(
            sample, tmp_path / name, preset=TINY, max_frames=FRAMES, parts=which, **given
        )

    with mock.patch.object(encoding, "find_person", finding_once(encoding.find_person)):
        encode("alone.fcv", Parts(2))
        encode("whole.fcv", Parts(1))
    for part in (PREPARATION, 1, 0):
        with pytest.raises(PartDone) as done:
            encode("shared.fcv", Parts(2, part), checkpoint=True)
        assert (done.value.frames, done.value.parts) == (FRAMES, 2)
    with mock.patch.object(motion, "_starts", side_effect=AssertionError("all was tracked")):
        encode("shared.fcv", Parts(2), checkpoint=True)
    alone = (tmp_path / "alone.fcv").read_bytes()
    assert (tmp_path / "shared.fcv").read_bytes() == alone
    assert (tmp_path / "whole.fcv").read_bytes() != alone  # its second part started by itself
    assert not (tmp_path / "shared.fcv.checkpoint").exists()


def test_parts_are_done_beside_each_other_and_beside_nothing_else(tmp_path):
    with (tmp_path / "file").open("w") as one, (tmp_path / "file").open() as other:
        hold(one.fileno(), "taken", shared=True)
        hold(other.fileno(), "taken", shared=True)
        with (tmp_path / "file").open() as third, pytest.raises(UsageError, match="taken"):
            hold(third.fileno(), "taken")
    assert Parts(4, 2).beside and not Parts(4, PREPARATION).beside and not Parts(4).beside


def tracked(controls, early=0, no_face=()):
    count = len(controls)
    flags = np.zeros(count, np.uint8)
    flags[list(no_face)] = FrameFlags.NO_FACE
    rows = np.array(controls, float)[:, None]
    return motion._Tracked(rows, rows[:, None], rows[:, 0], flags, early, np.ones(1), None)


def test_parts_go_over_into_each_other(monkeypatch):
    monkeypatch.setattr(motion, "FADE_FRAMES", 3)
    controls, information, residual, flags = motion._joined(
        [tracked([0] * 6), tracked([9, 4, 4, 4, 4, 4], early=4), tracked([4, 4], early=1)]
    )
    assert controls[:, 0].tolist() == [0, 0, 0, 1, 2, 3, 4, 4, 4]
    assert (information[:, 0, 0] == controls[:, 0]).all() and (residual == controls[:, 0]).all()
    assert not flags.any()
    # what no face shows is not mixed in; the frame is the earlier part's
    controls, *_, flags = motion._joined(
        [tracked([0] * 6, no_face=[3]), tracked([4] * 6, 4, no_face=[2])]
    )
    assert controls[:, 0].tolist() == [0, 0, 0, 0, 0, 3, 4, 4]
    assert flags.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
