"""The pictures of a context: coded, decoded, painted over, shown at their times."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from facecodec.bitstream import ContextPictures, ContextPlate
from facecodec.bitstream.container.context import pack_pictures
from facecodec.context.av1 import decoded, encode_after, is_shown
from facecodec.context.fill import continued, face_place, filled, plate_of
from facecodec.context.make import _fitting
from facecodec.context.plan import check_context, plan_context
from facecodec.context.view import ContextView
from facecodec.errors import FacecodecError, UsageError
from facecodec.face.alignment import Alignment
from facecodec.types import Picture

SIZE = (96, 64)


def picture(shift: int = 0) -> Picture:
    """Return a smooth room with a bright bar in it, `shift` pixels from the left."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    levels = np.stack([60 + x, 40 + 2 * y, 90 + 0 * x], -1)
    levels[20:40, 10 + shift : 22 + shift] = 220
    return levels.round().clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def coded() -> tuple[ContextPlate, list[ContextPictures]]:
    """Return a plate and two segments after it; the bar moves to the right."""
    parts = []
    for first in (0, 4):
        moved = [picture(4 * i) for i in range(first, first + 4)]
        packets = encode_after(picture(), moved, 30, Fraction(5))
        times = tuple(100 * i for i in range(first, first + 4))
        parts.append((packets[0], ContextPictures(times, tuple(packets[1:]))))
    assert parts[0][0] == parts[1][0], "a plate is the same whatever follows"
    return ContextPlate("av1", *SIZE, parts[0][0]), [part for _, part in parts]


def view(plate: ContextPlate | None, failures: list[str]) -> ContextView:
    return ContextView(plate, (2 * SIZE[0], 2 * SIZE[1]), failures.append)


def near(shown: Picture | None, wanted: Picture, levels: float = 6) -> bool:
    assert shown is not None
    assert shown.shape == (2 * SIZE[1], 2 * SIZE[0], 3)
    small = shown.reshape(SIZE[1], 2, SIZE[0], 2, 3).mean((1, 3))
    return float(np.abs(small - wanted).mean()) < levels


def test_each_segment_decodes_after_the_plate_alone(coded):
    plate, (_, second) = coded
    failures: list[str] = []
    shown = view(plate, failures)
    assert near(shown.at(-50), picture())
    shown.take(second)
    for i in (4, 5, 7):
        assert near(shown.at(100 * i), picture(4 * i)), i
    assert near(shown.at(10_000), picture(28)), "the last picture stays"
    assert not failures


def test_between_two_pictures_it_fades(coded):
    plate, (first, second) = coded
    shown = view(plate, [])
    shown.take(first)
    a, b = shown.at(100), shown.at(200)
    shown.take(first)
    assert a is not None
    assert b is not None
    shown = view(plate, [])
    shown.take(first)
    middle = shown.at(150)
    assert middle is not None
    assert np.abs(middle - (a.astype(float) + b) / 2).mean() < 2
    # from one segment to the next, whose pictures are not known yet, nothing fades
    last = shown.at(399)
    shown.take(second)
    assert near(last, picture(12))
    assert near(shown.at(400), picture(16))


def test_what_is_shown_is_as_bright_as_what_was_coded():
    y, x = np.mgrid[: SIZE[1], : SIZE[0]] / SIZE[0]
    coloured = (40 + 100 * np.stack([x, y, (x + y) / 2], -1)).round().astype(np.uint8)
    plate = ContextPlate("av1", *SIZE, encode_after(coloured, [], 12, Fraction(5))[0])
    shown = view(plate, []).at(0)
    assert shown is not None
    assert np.abs(shown.mean((0, 1)) - coloured.mean((0, 1))).max() < 0.8


@pytest.mark.parametrize("grey", [119, 121, 122, 180])
def test_a_smooth_wall_has_no_pattern(grey):
    flat = np.full((SIZE[1], SIZE[0], 3), grey, np.uint8)
    plate = ContextPlate("av1", *SIZE, encode_after(flat, [], 12, Fraction(5))[0])
    shown = view(plate, []).at(0)
    assert shown is not None
    assert np.ptp(shown.reshape(-1, 3), axis=0).max() == 0
    assert np.abs(shown[0, 0].astype(int) - grey).max() <= 2


def test_a_lost_segment_leaves_the_picture_before_it(coded):
    plate, (first, second) = coded
    failures: list[str] = []
    shown = view(plate, failures)
    shown.take(first)
    kept = shown.at(350)
    shown.take(ContextPictures(second.pts, tuple(b"\xff" * 9 for _ in second.packets)))
    assert shown.at(500) is not None
    assert near(shown.at(600), picture(12), 8)
    assert len(failures) == 1
    assert "context" in failures[0]
    assert kept is not None


def test_without_a_plate_there_is_nothing_to_show(coded):
    failures: list[str] = []
    for data in (b"", b"\xff" * 40, coded[0].data[:-9]):
        shown = view(ContextPlate("av1", *SIZE, data), failures)
        shown.take(coded[1][0])
        shown.at(100)
    assert view(None, failures).at(3) is None
    assert failures
    unknown: list[str] = []
    assert view(ContextPlate("vp12", *SIZE, b""), unknown).at(0) is None
    assert "vp12" in unknown[0]
    assert not is_shown(ContextPlate("vp12", *SIZE, b""))
    assert is_shown(coded[0])
    assert not is_shown(None)


def test_pictures_larger_than_announced_are_not_made_room_for(coded):
    plate, (first, _) = coded
    small = ContextPlate("av1", SIZE[0], SIZE[1] - 8, plate.data)
    with pytest.raises(FacecodecError):
        list(decoded(small, first.packets))
    large = ContextPlate("av1", SIZE[0], SIZE[1] + 8, plate.data)
    with pytest.raises(FacecodecError, match="another size"):
        list(decoded(large, first.packets))


def test_hostile_bytes_end_in_one_error(coded):
    plate, (first, _) = coded
    rng = np.random.default_rng(3)
    for _ in range(60):
        packets = [bytearray(packet) for packet in first.packets]
        hurt = packets[rng.integers(len(packets))]
        for _ in range(3):
            hurt[rng.integers(len(hurt))] = rng.integers(256)
        try:
            assert len(list(decoded(plate, [bytes(p) for p in packets]))) == 1 + len(packets)
        except FacecodecError as error:
            assert "\n" not in str(error)


def test_the_face_is_painted_over_smoothly():
    place = Alignment(48, 32, 50, 0.1)
    hidden = face_place(place, (1, 1), SIZE)
    assert 0.08 < hidden.mean() < 0.2
    assert hidden[32 + 4, 48]
    assert not hidden[:, 0].any()
    marked = picture()
    marked[hidden] = (255, 0, 255)
    room = picture()
    for painted in (filled(marked, hidden), continued(marked, room, hidden)):
        assert (painted[~hidden] == marked[~hidden]).all()
    # a ramp is continued; what is under it, shifted by nothing, comes through
    assert np.abs(filled(marked, hidden)[hidden, 0].astype(int) - room[hidden, 0]).mean() < 12
    assert np.abs(continued(marked, room, hidden)[hidden].astype(int) - room[hidden]).max() <= 1
    lighter = np.minimum(marked.astype(int) + 20, 255).astype(np.uint8)
    lit = continued(lighter, room, hidden)[hidden].astype(int) - room[hidden]
    assert abs(float(np.median(lit)) - 20) < 4


def test_a_plate_shows_what_any_picture_shows():
    pictures = np.stack([picture()] * 3)
    hidden = np.zeros((3, SIZE[1], SIZE[0]), bool)
    for i in range(3):
        hidden[i, 10:30, 40 + 9 * i : 60 + 9 * i] = True
        pictures[i][hidden[i]] = 0
    plate = plate_of(pictures, hidden)
    never = hidden.all(0)
    assert (plate[~never] == picture()[~never]).all()


def test_what_may_be_asked_for():
    assert check_context("off") is None
    assert check_context("still") == 0
    assert check_context(6000) == 6000
    for wrong in ("on", 0, 12, True, 1 << 18):
        with pytest.raises(UsageError, match="context"):
            check_context(wrong)
    rate = Fraction(30000, 1001)
    plan = plan_context(6000, (1280, 720), rate, Fraction(10))
    assert plan.bytes == 7500
    assert plan.step == 7
    assert abs(plan.size[0] * plan.size[1] - 120_000) < 2_000
    assert all(side % 2 == 0 for side in plan.size)
    assert plan_context(1500, (1280, 720), rate, Fraction(10)).step == 10  # three a second
    assert plan_context(0, (400, 300), None, Fraction(10)).still
    assert plan_context(10**5, (400, 300), rate, Fraction(1)).step == 1
    width, height = plan_context(200_000, (7680, 4320), rate, Fraction(9)).size
    assert width * height < 1 << 21


def test_a_segment_takes_no_more_than_a_stream_does():
    packets = [bytes(60_000)] * 6
    kept = _fitting([10 * i for i in range(6)], packets)
    assert len(kept.pts) == len(kept.packets) == 4
    pack_pictures(kept)
    assert len(_fitting([0, 1], [b"a", b"b"]).pts) == 2
