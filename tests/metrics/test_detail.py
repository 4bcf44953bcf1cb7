"""Detail by octave, the weave, the colour of the skin: on pictures whose detail is known."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.face.alignment import Alignment, usual_size, warranted_size
from facecodec.face.crop import resize
from facecodec.metrics.colour import colour_difference, lab
from facecodec.metrics.detail import DetailMeter, bands, octaves_of
from facecodec.metrics.evaluate import evaluate, small
from facecodec.metrics.measures import DETAIL

SIZE = 512


def noise(size: int = SIZE, seed: int = 0, strength: float = 20.0) -> np.ndarray:
    """A picture with detail in all octaves."""
    drawn = np.random.default_rng(seed)
    picture = np.full((size, size, 3), 128.0)
    for factor in (1, 2, 4, 8, 16):
        coarse = drawn.normal(0, strength, (size // factor, size // factor, 3))
        picture += coarse.repeat(factor, 0).repeat(factor, 1)
    return picture.clip(0, 255).astype(np.uint8)


def blurred(picture: np.ndarray, factor: int = 2) -> np.ndarray:
    """Shrunk, and drawn large again without steps."""
    size = picture.shape[0]
    return resize(resize(picture, (size // factor, size // factor)), (size, size))


def measured(source: np.ndarray, decoded: np.ndarray, face: np.ndarray | None = None):
    meter = DetailMeter(source.shape[0])
    meter.add(source, decoded, face)
    return meter.result()


@pytest.fixture
def face() -> np.ndarray:
    """The left half is the inner face."""
    inside = np.zeros((SIZE, SIZE), bool)
    inside[:, : SIZE // 2] = True
    return inside


@pytest.mark.parametrize(
    ("side", "size"), [(90, 256), (444, 256), (511, 512), (948, 512), (1023, 1024), (2000, 1024)]
)
def test_nothing_is_compared_above_what_the_source_has(side, size):
    assert warranted_size(side) == size
    farther = [Alignment(0, 0, size, 0) for size in (side, side, side / 4)]
    assert usual_size(farther) == size


def test_a_size_shows_the_octaves_of_its_own_pixels():
    assert octaves_of(1024) == (1, 2, 4, 8, 16)
    assert octaves_of(512) == (2, 4, 8, 16)
    assert octaves_of(256) == (4, 8, 16)


def test_stripes_lie_in_the_octave_of_their_width():
    columns = np.arange(1024)
    for octave in (1, 2, 4, 8):
        stripes = np.where(columns // octave % 2, 255, 0).astype(np.uint8)
        size = bands(np.broadcast_to(stripes[None, :, None], (1024, 1024, 3)))
        means = {name: energy.mean() for name, energy in size.items()}
        assert max(means, key=means.get) == octave
        assert all(means[finer] < means[octave] / 2 for finer in means if finer < octave)


def test_a_picture_has_its_own_detail_and_colour(face):
    detail = measured(noise(), noise(), face)
    for region in ("face", "rest"):
        assert detail.octaves[region] == {2: 1, 4: 1, 8: 1, 16: 1}
    assert detail.weave is None and detail.skin == 0 and detail.ssim == 1
    assert detail.psnr == float("inf")


def test_blur_is_seen_in_the_octaves_that_it_takes_and_where(face):
    decoded = noise()
    decoded[:, : SIZE // 2] = blurred(decoded)[:, : SIZE // 2]
    detail = measured(noise(), decoded, face)
    left = list(detail.octaves["face"].values())
    assert left == sorted(left) and left[0] < 0.4 and left[-1] > 0.75
    assert detail.octaves["rest"][2] == pytest.approx(1, abs=0.02)
    assert detail.weave is None or detail.weave.strength < 1


def test_detail_elsewhere_is_detail():
    """Other noise of the same kind has no decibels and all of the detail."""
    detail = measured(noise(seed=0), noise(seed=1))
    assert all(ratio == pytest.approx(1, abs=0.03) for ratio in detail.octaves["rest"].values())


@pytest.mark.parametrize(("period", "angle"), [(5, 0), (5, 90), (8, 0), (5.5, 45)])
def test_a_weave_has_a_place_a_period_a_direction_and_a_size(face, period, angle):
    """Periods are those of a picture of 1024, twice as many pixels as these pictures have."""
    axis = np.arange(SIZE) * 2 / period
    turn = np.radians(angle)
    wave = np.cos(2 * np.pi * (axis[None] * np.cos(turn) + axis[:, None] * np.sin(turn)))
    decoded = noise(strength=2).astype(float)
    decoded[:, SIZE // 2 :] += 10 * wave[:, SIZE // 2 :, None]
    detail = measured(noise(strength=2), decoded.clip(0, 255).astype(np.uint8), face)
    assert detail.weave is not None and detail.weave.region == "rest"
    assert detail.weave.period == pytest.approx(period, rel=0.1)
    assert detail.weave.angle == pytest.approx(angle, abs=12)
    # its period may lie between two waves of the spectrum, and each then has a part of it
    assert 4 < detail.weave.strength < 14


def test_cielab_of_known_colours():
    known = {(255, 255, 255): (100, 0, 0), (0, 0, 0): (0, 0, 0), (255, 0, 0): (53.24, 80.09, 67.20)}
    for levels, wanted in known.items():
        np.testing.assert_allclose(lab(np.array(levels)), wanted, atol=0.02)


def test_colour_differs_by_shade_and_not_by_noise(face):
    skin = np.full((SIZE, SIZE, 3), (200, 150, 130), np.uint8)
    redder = np.full_like(skin, (210, 150, 130))
    apart = float(colour_difference(skin, redder).mean())
    assert 3 < apart < 6
    assert measured(skin, redder, face).skin == pytest.approx(apart, abs=0.01)
    grainy = (skin + np.random.default_rng(0).normal(0, 5, skin.shape)).clip(0, 255)
    assert measured(skin, grainy.astype(np.uint8), face).skin < 0.7


def test_without_a_face_the_rest_is_still_compared():
    detail = measured(noise(), blurred(noise()))
    assert detail.psnr is None and detail.ssim is None and detail.skin is None
    assert detail.octaves["face"] == {} and detail.octaves["rest"][2] < 0.6


def test_pictures_of_another_size_are_refused():
    with pytest.raises(ValueError, match="not \\(512, 512, 3\\)"):
        DetailMeter(SIZE).add(noise(256), noise(256), None)
    with pytest.raises(ValueError, match="no pictures"):
        DetailMeter(SIZE).result()


def test_evaluate_measures_detail_at_the_size_of_the_pictures():
    sharp, soft = [noise()] * 2, [blurred(noise(), 4)] * 2
    result = evaluate(sharp, soft)
    assert result.detail is not None and result.detail.size == SIZE
    assert result["detail_rest_1"] is None and "compared at 512" in result.missing["detail_rest_1"]
    assert result["detail_rest_2"] < 0.2 and result["detail_rest_16"] > 0.5
    odd = evaluate([picture[:300, :300] for picture in sharp], [p[:300, :300] for p in soft])
    assert odd.detail is None and not set(DETAIL) & set(odd.values)


def test_small_pictures_are_averages_of_large_ones():
    large = noise()
    means = large.reshape(256, 2, 256, 2, 3).mean((1, 3)).round()
    np.testing.assert_array_equal(small(large), means)
    assert small(large[:300]).shape == (256, 256, 3)
