"""A long clip is tracked in sections: who tracks which makes no difference, and they cover it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

import facecodec
import facecodec.encoding.fitted as encoding
from facecodec import checkpoint
from facecodec.bitstream import FrameFlags
from facecodec.encoding import parts, sections
from facecodec.encoding.parts import PREPARATION, PartDone, Parts
from facecodec.errors import UsageError
from facecodec.lock import hold
from tests.helpers.batch_work import short_sections
from tests.helpers.presets import TINY, finding_once

FRAMES = 6


@pytest.fixture
def tiny_sections():
    with short_sections():
        yield


def test_sections_cover_a_clip_and_parts_the_sections():
    least = parts.SECTION_FRAMES
    for frames in (1, least - 1, 2 * least - 1, 2 * least, 5 * least + 3, 90_000):
        whole = parts.sections(frames)
        assert whole[0][0] == 0 and whole[-1][1] == frames
        assert all(one[1] == other[0] for one, other in zip(whole, whole[1:], strict=False))
        lengths = [end - begin for begin, end in whole]
        assert max(lengths) < 2 * least and (min(lengths) >= least or len(whole) == 1)
        for count in (1, 2, 4, 7):
            number = Parts(count).number(frames)
            assert number == min(count, len(whole)) and Parts(count).spans(frames) == whole
            divided = [Parts(count, k).spans(frames) for k in range(number)]
            assert all(divided) and sum(divided, []) == whole
            assert Parts(count, PREPARATION).spans(frames) == []


def test_a_short_clip_is_one_section():
    assert parts.sections(2 * parts.SECTION_FRAMES - 1) == [(0, 2 * parts.SECTION_FRAMES - 1)]


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_sections", "pose_alone")
def test_the_same_whoever_tracks_them(sample, generator, finder, tmp_path):
    def encode(name, which=parts.WHOLE, **given):
        return facecodec.encode(
            sample, tmp_path / name, preset=TINY, max_frames=FRAMES, parts=which, **given
        )

    with mock.patch.object(encoding, "find_person", finding_once(encoding.find_person)):
        encode("alone.fcv")
        with mock.patch.object(parts, "SECTION_FRAMES", FRAMES):
            encode("one_section.fcv")
    for part in (PREPARATION, 1, 0):
        with pytest.raises(PartDone) as done:
            encode("shared.fcv", Parts(2, part), checkpoint=True)
        assert (done.value.frames, done.value.parts) == (FRAMES, 2)
    with mock.patch.object(sections, "_starts", side_effect=AssertionError("all was tracked")):
        encode("shared.fcv", checkpoint=True)
    alone = (tmp_path / "alone.fcv").read_bytes()
    assert (tmp_path / "shared.fcv").read_bytes() == alone
    assert (tmp_path / "one_section.fcv").read_bytes() != alone  # a section starts by itself
    assert not (tmp_path / "shared.fcv.checkpoint").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_sections", "pose_alone")
def test_a_kill_in_any_frame_of_any_section(sample, finder, tmp_path, small_rig, monkeypatch):
    """What is kept at that moment leads to the same stream, and what is done is not done again."""
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SECONDS", 0.0)
    preset, told = replace(TINY, keyframes=1), []

    def encode(output, copies=None):
        def report(stage, done, total):
            if stage == "tracking":
                told.append((done, total))
                if copies is not None:
                    shutil.copytree(f"{output}.checkpoint", f"{copies(done)}.checkpoint")

        told.clear()
        facecodec.encode(sample, output, preset=preset, rig=small_rig, max_frames=FRAMES,
                         checkpoint=True, progress=report)  # fmt: skip
        return output.read_bytes()

    wanted = encode(tmp_path / "whole.fcv", lambda done: tmp_path / f"{done}.fcv")
    steps = FRAMES + 2  # three sections, of which two have a lead-in of a frame
    assert told == [(done, steps) for done in range(1, steps + 1)]
    for done in range(1, steps + 1):
        assert encode(tmp_path / f"{done}.fcv") == wanted
        assert told == [(k, steps) for k in range(done, steps + 1)]


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
    return sections.TrackedSection(rows, rows[:, None], rows[:, 0], flags, early)


def test_sections_go_over_into_each_other(monkeypatch):
    monkeypatch.setattr(parts, "FADE_FRAMES", 3)
    controls, information, residual, flags = sections.joined(
        [tracked([0] * 6), tracked([9, 4, 4, 4, 4, 4], early=4), tracked([4, 4], early=1)]
    )
    assert controls[:, 0].tolist() == [0, 0, 0, 1, 2, 3, 4, 4, 4]
    assert (information[:, 0, 0] == controls[:, 0]).all() and (residual == controls[:, 0]).all()
    assert not flags.any()
    # what no face shows is not mixed in; the frame is the earlier section's
    controls, *_, flags = sections.joined(
        [tracked([0] * 6, no_face=[3]), tracked([4] * 6, 4, no_face=[2])]
    )
    assert controls[:, 0].tolist() == [0, 0, 0, 0, 0, 3, 4, 4]
    assert flags.tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


class Numbered:
    """A clip whose squares are their numbers; notes where a pass over them began."""

    def __init__(self, frames):
        self.frames, self.passes = frames, []

    def squares(self, first=0):
        self.passes.append(first)
        yield from ((i, i) for i in range(first, self.frames))


def test_sections_take_their_squares_from_one_pass(monkeypatch):
    monkeypatch.setattr(parts, "LEAD_IN_FRAMES", 3)
    clip = Numbered(20)
    squares = sections._Squares(clip)
    for begin, end in ((0, 7), (4, 14), (11, 20)):
        assert list(squares.between(begin, end)) == [(i, i) for i in range(begin, end)]
    assert clip.passes == [0]
    # a section that was kept as far as its last frame but one; the next begins before that
    clip = Numbered(20)
    squares = sections._Squares(clip)
    for begin, end in ((13, 14), (11, 20)):
        assert list(squares.between(begin, end)) == [(i, i) for i in range(begin, end)]
    assert clip.passes == [11]
