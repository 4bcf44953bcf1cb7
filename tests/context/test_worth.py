"""Whether a tuned head is worth retouching is measured, and right where it is plain."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
import torch

from facecodec.bitstream import ContextPictures, ContextPlate
from facecodec.context import worth
from facecodec.context.av1 import CODEC_WITH_FACE, encode_after
from facecodec.context.worth import left_by_retouching
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.types import Picture
from facecodec.video.reader import Frame

SIZE, STEP, COUNT = (192, 128), 4, 13
PLACE = Alignment(96, 64, 110, 0.0)


def filmed(i: int) -> Picture:
    """Return a smooth picture in which a bright blob moves."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    levels = np.stack([60 + x / 2, 40 + y, 90 + 0 * x], -1)
    blob = np.exp(-(((x - 80 - 2 * i) / 20) ** 2) - ((y - 60) / 20) ** 2)
    return (levels + 90 * blob[..., None]).round().clip(0, 255).astype(np.uint8)


class Clip:
    width, height = SIZE
    alignments = [PLACE] * COUNT

    def __len__(self) -> int:
        return COUNT

    def frames(self) -> Iterator[Frame]:
        return (Frame(10 * i, filmed(i)) for i in range(COUNT))


@pytest.fixture(scope="module")
def coded() -> tuple[ContextPlate, ContextPictures]:
    pictures = [filmed(i) for i in range(0, COUNT, STEP)]
    plate, *later = encode_after(pictures[0], pictures, 20, Fraction(5))
    times = tuple(10 * i for i in range(0, COUNT, STEP))
    return ContextPlate(CODEC_WITH_FACE, *SIZE, plate), ContextPictures(times, tuple(later))


@pytest.fixture(autouse=True)
def all_head(monkeypatch):
    ones = torch.ones(2, 128, 128)
    monkeypatch.setattr(worth, "small_matte", lambda small: (small, ones))


@pytest.mark.parametrize(("shift", "worth_it"), [(0, False), (25, True)])
def test_a_head_of_other_colours_is_worth_it(coded, shift, worth_it):
    plate, pictures = coded

    def draw(number: int) -> Picture:
        square = crop(filmed(number), PLACE, 256).astype(int)
        return (square + shift).clip(0, 255).astype(np.uint8)

    left = left_by_retouching(Clip(), plate, [pictures], draw)
    assert (left < worth.WORTH) == worth_it
    assert left < 0.2 or not worth_it


def test_what_does_not_decode_is_worth_nothing(coded):
    plate, pictures = coded
    broken = ContextPictures(pictures.pts, tuple(b"\xff" * 9 for _ in pictures.packets))
    draw = lambda number: np.zeros((256, 256, 3), np.uint8)  # noqa: E731
    assert left_by_retouching(Clip(), plate, [broken], draw) == 1
