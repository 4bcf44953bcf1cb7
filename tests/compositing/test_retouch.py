"""What a context shows of the head, given to the head that is drawn."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from facecodec.compositing.retouch import (
    FADING,
    NEEDLESS,
    PATIENCE,
    Retouching,
    difference,
    trusted,
)

SIZE = 128
EVERYWHERE = torch.ones(SIZE, SIZE)


def waves(pixels: int, strength: float = 20.0) -> torch.Tensor:
    """Return a square [3, s, s] of stripes so many pixels wide."""
    stripes = (torch.arange(SIZE) // pixels % 2).float() * 2 - 1
    return 128 + strength * stripes.expand(3, SIZE, SIZE)


def test_colours_are_those_of_the_context():
    off = difference(torch.full((3, SIZE, SIZE), 140.0), waves(1), EVERYWHERE)
    assert (off.mean((1, 2)) - 12).abs().max() < 0.1


def test_detail_that_the_context_has_not_coded_stays():
    drawn = waves(1)
    shown = torch.full_like(drawn, 120.0)  # the same, but all that is fine is gone
    fine = drawn + difference(shown, drawn, EVERYWHERE)
    assert fine.std() > 0.95 * drawn.std()
    coarse = waves(16)  # so large that every context has it, had it been there
    assert (coarse + difference(shown, coarse, EVERYWHERE)).std() < 0.3 * coarse.std()


def test_errors_as_small_as_those_of_coding_are_not_taken_over():
    drawn = waves(2)
    off = difference(drawn + waves(1, 1.0) - 128, drawn, EVERYWHERE)
    assert off.abs().mean() < 0.2
    large = difference(waves(1, 30.0), waves(1, -30.0), EVERYWHERE)
    assert large.abs().mean() > 50


def test_nothing_is_known_outside_the_frame():
    inside = EVERYWHERE.clone()
    inside[:, :64] = 0
    off = difference(torch.full((3, SIZE, SIZE), 200.0), waves(1), inside)
    assert off[..., :56].abs().max() < 1
    assert off[..., 72:].mean() > 60


def test_a_drawing_is_trusted_where_its_context_shows_the_same():
    drawn = waves(5)
    coarse = F.avg_pool2d(0.4 * (drawn - 128) + 100, 5, 1, 2, count_include_pad=False)  # and darker
    assert trusted(coarse, drawn).mean() > 0.9
    assert trusted(torch.full_like(drawn, 90.0), drawn).min() > 0.95  # nothing of it is coded


def test_it_is_not_needed_where_the_context_has_all_of_its_detail():
    shares = [
        float(trusted(128 + part * (waves(2) - 128), waves(2)).mean()) for part in (0.2, 0.6, 1)
    ]
    assert shares[0] > 0.9
    assert shares[0] > shares[1] + 0.1 > shares[2] + 0.2
    assert shares[2] == pytest.approx(1 - NEEDLESS, abs=0.02)


def test_it_is_not_where_a_hand_hides_the_face():
    drawn, shown = waves(5), waves(5)
    shown[..., 64:] = waves(5).transpose(1, 2)[..., 64:]
    shares = trusted(shown, drawn)
    assert shares[:, :50].mean() > 0.9 * (1 - NEEDLESS)
    assert shares[:, 80:].mean() < 0.1 * (1 - NEEDLESS)


def test_it_changes_evenly_from_picture_to_picture():
    retouching, one = Retouching(), torch.ones(3, 4, 4)
    assert retouching.towards(0, None) is None
    first = retouching.towards(3, (3, one))
    assert first is not None
    assert (first == 1).all()
    seen = [retouching.towards(3 + i, (7, 5 * one)) for i in range(1, 5)]
    assert [float(off.mean()) for off in seen if off is not None] == [2, 3, 4, 5]


@pytest.mark.parametrize("frames", [PATIENCE, PATIENCE + 40])
def test_without_pictures_it_stays_and_then_fades(frames):
    retouching = Retouching()
    retouching.towards(0, (0, torch.ones(3, 4, 4)))
    last = None
    for i in range(frames):
        last = retouching.towards(1 + i, None)
    assert last is not None
    assert float(last.mean()) == pytest.approx(FADING ** (frames - PATIENCE), rel=1e-4)
