"""Colours between planes and RGB, in both directions, are not shifted."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from facecodec.video import planes
from facecodec.video.coding import Writing
from facecodec.video.colour import BT601, BT709, BT2020, from_rgb, scaled, to_rgb
from facecodec.video.planes import FULL_RANGE, MOST_BITS, YCGCO, Planes, planes_of
from facecodec.video.still import encode_jpeg
from facecodec.video.writer import open_sink
from tests.helpers.clips import read_picture
from tests.helpers.pictures import smooth_picture

MOST_BIAS = 0.1  # grey levels, in the mean of a picture
WEIGHTS = {BT601: (0.299, 0.114), BT709: (0.2126, 0.0722), BT2020: (0.2627, 0.0593)}


def noisy_planes(height: int, width: int, bits: int, down: int, across: int) -> list[np.ndarray]:
    """Return planes of an everyday picture, whose levels lie between whole numbers in RGB."""
    random, unit = np.random.default_rng(bits), 1 << bits - 8
    sizes = [(height, width)] + [(-(-height // down), -(-width // across))] * 2
    made = []
    for plane, (rows, columns) in enumerate(sizes):
        y, x = np.mgrid[:rows, :columns]
        wave = np.sin(3 * x / columns + plane) * np.cos(2 * y / rows + plane)
        levels = ([120, 128, 128][plane] + [50, 18, 18][plane] * wave) * unit
        levels += random.normal(0, unit, levels.shape)
        made.append(levels.round().astype(np.uint8 if bits == 8 else np.uint16))
    return made


def exact_rgb(levels: list[np.ndarray], bits: int, matrix: int, full: bool) -> np.ndarray:
    """Return RGB of 0 to 255 [H, W, 3], with chroma that is repeated, in float64."""
    y, u, v = (plane.astype(float) for plane in levels)
    u, v = (
        plane.repeat(-(-y.shape[0] // plane.shape[0]), 0).repeat(
            -(-y.shape[1] // plane.shape[1]), 1
        )
        for plane in (u, v)
    )
    u, v = (plane[: y.shape[0], : y.shape[1]] for plane in (u, v))
    unit, last = 1 << bits - 8, (1 << bits) - 1
    if full:
        y, u, v = y / last, (u - 128 * unit) / last, (v - 128 * unit) / last
    else:
        y, u, v = (y / unit - 16) / 219, (u / unit - 128) / 224, (v / unit - 128) / 224
    red, blue = WEIGHTS[matrix]
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return 255 * np.stack([r, (y - red * r - blue * b) / (1 - red - blue), b], -1).clip(0, 1)


def frame_of(levels: list[np.ndarray], name: str, matrix: int, full: bool) -> av.VideoFrame:
    height, width = levels[0].shape
    frame = av.VideoFrame(width, height, name)
    for plane, values in zip(frame.planes, levels, strict=True):
        lines = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
        lines[:, : plane.width] = values
        plane.update(lines.tobytes())
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame


KINDS = {
    "yuv420p": (8, 2, 2), "yuv422p": (8, 1, 2), "yuv444p": (8, 1, 1), "yuv440p": (8, 2, 1),
    "yuv420p10le": (10, 2, 2), "yuv444p12le": (12, 1, 1), "yuv422p16le": (16, 1, 2),
}  # fmt: skip


@pytest.fixture(params=["compiled", "numpy"])
def way(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(planes, "library", lambda: None)
    elif planes.library() is None:
        pytest.skip("the library cannot be built here")


@pytest.mark.parametrize("size", [(96, 130), (97, 131), (1, 1), (3, 64)])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [BT601, BT709])
@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le"])
def test_what_is_read_is_neither_darker_nor_tinted(name, matrix, full, size, way):
    bits, down, across = KINDS[name]
    levels = noisy_planes(*size, bits, down, across)
    read = to_rgb(frame_of(levels, name, matrix, full))
    apart = read - exact_rgb(levels, bits, matrix, full)
    few = 1.5 / np.sqrt(apart[..., 0].size)  # of few pixels, roundings do not cancel
    assert np.abs(apart.mean((0, 1))).max() < MOST_BIAS + few


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("full", [False, True])
def test_all_kinds_of_planes_are_read_as_they_are(name, full, way):
    bits, down, across = KINDS[name]
    levels = noisy_planes(50, 70, bits, down, across)
    for plane in levels[1:]:
        plane[:] = plane.mean(axis=(0, 1), keepdims=True).astype(plane.dtype)  # no interpolation
    read = to_rgb(frame_of(levels, name, BT2020, full))
    rounded = 0.51 if bits <= MOST_BITS else 0.65  # the levels themselves are, too
    assert np.abs(read - exact_rgb(levels, bits, BT2020, full)).max() <= rounded


@pytest.mark.parametrize("kind", KINDS.values())
@pytest.mark.parametrize("matrix", [BT709, YCGCO])
@pytest.mark.parametrize("deep", [False, True])
def test_both_ways_give_the_same_levels(kind, matrix, deep, monkeypatch):
    if planes.library() is None:
        pytest.skip("the library cannot be built here")
    bits, down, across = kind
    random = np.random.default_rng(1)
    for height, width in ((41, 129), (2, 64), (1, 3)):
        levels = [
            random.integers(0, 1 << bits, plane.shape).astype(plane.dtype)
            for plane in noisy_planes(height, width, bits, down, across)
        ]
        for full in (False, True):
            coded = Planes(*levels, bits, full)
            compiled = coded.in_rgb(matrix, deep)
            with monkeypatch.context() as patch:
                patch.setattr(planes, "library", lambda: None)
                assert np.array_equal(coded.in_rgb(matrix, deep), compiled)


def test_a_job_is_as_large_as_the_library_takes_it():
    import ctypes

    library = planes.library()
    if library is None:
        pytest.skip("the library cannot be built here")
    assert library.facecodec_planes_size() == ctypes.sizeof(planes.Job)


@pytest.mark.parametrize("other", ["nv12", "yuyv422", "uyvy422", "p010le"])
def test_the_same_planes_in_another_order_are_the_same_picture(other):
    name = planes.MOVED[other]
    levels = noisy_planes(48, 64, *KINDS.get(name, (8, 1, 2)))
    frame = frame_of(levels, name, BT709, False)
    assert np.array_equal(to_rgb(frame.reformat(format=other)), to_rgb(frame))


def test_planes_are_those_of_the_frame():
    levels = noisy_planes(31, 45, 8, 2, 2)
    found = planes_of(frame_of(levels, "yuv420p", BT709, True))
    assert found is not None and found.full
    for plane, wanted in zip((found.y, found.u, found.v), levels, strict=True):
        assert np.array_equal(plane, wanted)
    assert planes_of(av.VideoFrame(8, 8, "gbrp")) is None
    frame = av.VideoFrame(8, 8, "yuvj420p")
    frame.color_range = FULL_RANGE
    assert planes_of(frame).full


@pytest.mark.parametrize("size", [(96, 128), (97, 131)])
@pytest.mark.parametrize("matrix", [BT601, BT709])
@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le", "yuv444p"])
def test_what_is_written_is_not_tinted(name, matrix, size):
    picture = smooth_picture(*size)
    found = planes_of(from_rgb(picture, name, matrix))
    assert found is not None and not found.full
    apart = exact_rgb([found.y, found.u, found.v], found.bits, matrix, False) - picture
    assert np.abs(apart.mean((0, 1))).max() < MOST_BIAS


@pytest.mark.parametrize(
    ("name", "how", "matrix"),
    [
        ("x.mp4", Writing(crf=1), BT709),
        ("x.mkv", Writing(codec="x265", bits=10, crf=1), BT709),
        ("x.y4m", Writing(), BT601),
    ],
)
def test_videos_are_written_and_read_with_their_colours(name, how, matrix, tmp_path):
    picture = smooth_picture(96, 128)
    with open_sink(str(tmp_path / name), (128, 96), Fraction(1, 25), Fraction(25), how=how) as sink:
        sink.write(picture, 0)
    with av.open(str(tmp_path / name)) as container:
        found = planes_of(next(container.decode(video=0)))
    assert found is not None
    exact = exact_rgb([found.y, found.u, found.v], found.bits, matrix, False)
    for read in (exact, read_picture(tmp_path / name)):
        assert np.abs((read - picture.astype(float)).mean((0, 1))).max() < 2 * MOST_BIAS


@pytest.mark.parametrize("size", [(120, 90), (333, 257)])
def test_a_picture_keeps_its_colours_when_it_is_scaled(size):
    picture = smooth_picture(160, 120)
    apart = scaled(picture, size).mean((0, 1)) - picture.mean((0, 1))
    assert np.abs(apart).max() < MOST_BIAS
    frame = frame_of(noisy_planes(160, 120, 8, 2, 2), "yuv420p", BT709, False)
    apart = to_rgb(frame, size).mean((0, 1)) - to_rgb(frame).mean((0, 1))
    assert np.abs(apart).max() < MOST_BIAS


@pytest.mark.parametrize("size", [(96, 128), (97, 131)])
def test_small_jpegs_keep_their_colours(size):
    picture = smooth_picture(*size)
    with Image.open(io.BytesIO(encode_jpeg(picture))) as image:
        shown = np.asarray(image.convert("RGB"))
    assert np.abs(shown.astype(float).mean((0, 1)) - picture.mean((0, 1))).max() < 2 * MOST_BIAS
