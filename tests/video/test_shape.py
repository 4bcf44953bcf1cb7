"""Upright pictures of square pixels and one size, whatever the file says of its own."""

from __future__ import annotations

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from facecodec.errors import FacecodecError
from facecodec.video.reader import VideoReader
from tests.helpers.clips import (
    SIZE,
    coded,
    gradient,
    level_error,
    read_picture,
    set_display_matrix,
    write_clip,
)

# a, b, c, d of the display matrix -> what it does to the stored picture
WAYS = {
    (1, 0, 0, 1): lambda p: p,
    (-1, 0, 0, 1): lambda p: p[:, ::-1],
    (1, 0, 0, -1): lambda p: p[::-1],
    (-1, 0, 0, -1): lambda p: p[::-1, ::-1],
    (0, 1, 1, 0): lambda p: p.swapaxes(0, 1),
    (0, 1, -1, 0): lambda p: np.rot90(p, -1),
    (0, -1, 1, 0): lambda p: np.rot90(p),
    (0, -1, -1, 0): lambda p: np.rot90(p, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("matrix", WAYS)
def test_display_matrices_are_followed_all_eight(tmp_path, matrix):
    path = write_clip(tmp_path / "turned.mp4", [gradient()] * 2)
    stored = read_picture(path)
    set_display_matrix(path, *matrix)
    with VideoReader(path) as reader:
        for frame in reader.frames():
            assert frame.image.shape == (reader.height, reader.width, 3)
            assert level_error(frame.image, WAYS[matrix](stored)) < 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_upright_in_all_eight_orientations(tmp_path, kind, orientation):
    seen = gradient()
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Pillow's transposes
    image = Image.fromarray(seen)
    stored = image if undo is None else image.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo.{kind.lower()}"
    stored.save(path, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    assert level_error(read_picture(path), seen) < 4
    with VideoReader(path) as reader:
        assert (reader.width, reader.height) == SIZE


def test_heic_and_avif_are_read(tmp_path):
    for name in ("p.heic", "p.avif"):
        Image.fromarray(gradient((128, 96))).save(tmp_path / name, quality=90)
        assert level_error(read_picture(tmp_path / name), gradient((128, 96))) < 4


@pytest.mark.parametrize(
    "name", ["grid.heic", "exif2.jpg", "exif5.jpg", "m_hflip.mp4", "m_transp.mp4"]
)
def test_real_files_are_upright(faults, name):
    picture = read_picture(faults / name)
    wanted = (1600, 1760) if name == "grid.heic" else (480, 480) if "mp4" in name else (400, 440)
    assert picture.shape[1::-1] == wanted
    if "mp4" in name:
        assert level_error(picture, read_picture(faults / "base.mp4")) < 2


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "1"])
def test_every_kind_of_photograph_becomes_rgb(tmp_path, mode):
    grey = gradient()[..., 0]
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(gradient()).convert(mode)
    path = tmp_path / ("p.tif" if mode == "CMYK" else "p.png")
    image.save(path)
    picture = read_picture(path)
    assert picture.shape == (SIZE[1], SIZE[0], 3) and picture.dtype == np.uint8
    if mode in ("L", "LA", "I;16"):
        assert np.ptp(picture.astype(int), axis=2).max() == 0
    if mode == "I;16":
        assert level_error(picture[..., 0], grey) < 1


def test_a_broken_photograph_is_one_line(tmp_path):
    Image.fromarray(gradient((256, 256))).save(tmp_path / "p.jpg")
    whole = (tmp_path / "p.jpg").read_bytes()
    (tmp_path / "p.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FacecodecError, match="p.jpg: not a picture"):
        read_picture(tmp_path / "p.jpg")


@pytest.mark.parametrize("ratio", [(4, 3), (15, 16), (16, 11), (2, 1)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pixels_that_are_not_square_become_so(tmp_path, ratio, suffix):
    sar = Fraction(*ratio)
    path = write_clip(
        tmp_path / f"dv{suffix}", [gradient()] * 3, settings={"sample_aspect_ratio": sar}
    )
    wide = (round(SIZE[0] * sar), SIZE[1])
    with VideoReader(path) as reader:
        assert (reader.width, reader.height) == wide
        frames = list(reader.frames())
    assert all(level_error(f.image, gradient(wide)) < 4 for f in frames)


def test_square_pixels_and_a_turn(tmp_path):
    path = write_clip(
        tmp_path / "dv.mp4", [gradient()], settings={"sample_aspect_ratio": Fraction(4, 3)}
    )
    set_display_matrix(path, *(0, 1, -1, 0))
    with VideoReader(path) as reader:
        assert (reader.width, reader.height) == (48, round(64 * 4 / 3))


def test_a_ratio_that_asks_for_too_much_is_refused(tmp_path):
    path = write_clip(
        tmp_path / "x.mp4", [gradient()], settings={"sample_aspect_ratio": Fraction(20, 1)}
    )
    with pytest.raises(FacecodecError, match="1280x48 pixels"):
        VideoReader(path)


@pytest.mark.parametrize("second", [(32, 24), (128, 96), (48, 64), (100, 30)])
def test_a_clip_has_one_size_although_its_frames_change_theirs(tmp_path, second):
    path = tmp_path / "call.webm"
    parts = [coded([gradient(size)] * 4, "libvpx", {}) for size in (SIZE, second)]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libvpx", rate=25)
        stream.width, stream.height = SIZE
        for i, packet in enumerate(itertools.chain(*parts)):
            again = av.Packet(bytes(packet))
            again.pts = again.dts = 40 * i
            again.time_base, again.stream = Fraction(1, 1000), stream
            again.is_keyframe = packet.is_keyframe
            out.mux(again)
    with VideoReader(path) as reader:
        frames = [f.image for f in reader.frames()]
    assert len(frames) == 8 and all(f.shape == (SIZE[1], SIZE[0], 3) for f in frames)
    inner = frames[-1]
    if second[0] * SIZE[1] == second[1] * SIZE[0]:
        assert level_error(inner, gradient()) < 6
    else:  # bars, not a stretched face
        assert inner[0].max() < 40 or inner[:, 0].max() < 40


def test_real_calls_keep_one_size(faults):
    with VideoReader(faults / "vchange.webm") as reader:
        assert {f.image.shape for f in reader.frames()} == {(320, 320, 3)}
    with VideoReader(faults / "hdv.mp4") as reader:
        assert (reader.width, reader.height) == (480, 480)
