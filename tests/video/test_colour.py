"""Colours: high dynamic range, wide primaries and odd matrices become those of BT.709."""

from __future__ import annotations

import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from facecodec.errors import FacecodecError
from facecodec.video.colour import HLG, PQ, to_standard
from tests.helpers.clips import gradient, level_error, read_picture, write_clip

TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
LUMINANCE = np.array([0.2627, 0.6780, 0.0593])


def hdr_signal(picture: np.ndarray, transfer: int) -> np.ndarray:
    """BT.2020 R'G'B', 0 to 1, of an 8-bit BT.709 picture whose white is 203 cd/m2."""
    nits = 203 * ((picture / 255) ** 2.4) @ TO_2020.T
    if transfer == PQ:
        y = (nits / 10000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)
    if transfer == HLG:
        display = nits / 1000
        scene = display * (display @ LUMINANCE)[..., None] ** (1 / 1.2 - 1)
        low = np.sqrt(3 * scene)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        return np.where(scene <= 1 / 12, low, high)
    return (nits / 203) ** (1 / 2.4)


def planes_2020(signal: np.ndarray) -> np.ndarray:
    """10-bit limited Y, Cb, Cr [H, W, 3] of BT.2020 (non-constant luminance), in 16-bit words."""
    y = signal @ LUMINANCE
    cb, cr = (signal[..., 2] - y) / 1.8814, (signal[..., 0] - y) / 1.4746
    coded = np.stack([876 * y + 64, 896 * cb + 512, 896 * cr + 512], -1)
    return coded.round().astype(np.uint16)


@pytest.mark.parametrize("transfer", [HLG, PQ, 14, 15])
def test_bt2020_becomes_bt709(tmp_path, transfer):
    wanted = gradient()
    planes = planes_2020(hdr_signal(wanted.astype(float), transfer))
    colour = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    path = write_clip(
        tmp_path / "hdr.mkv", [planes << 6], "ffv1", pix_fmt="yuv444p16le", settings=colour
    )
    assert level_error(read_picture(path), wanted) < 1.5


@pytest.mark.parametrize("tagged", [True, False])
def test_photographs_of_high_range(tmp_path, tagged):
    """The container may leave out what the coded picture says; phones write both."""
    wanted = gradient()
    levels = (hdr_signal(wanted.astype(float), PQ) * 1023).round().astype(np.uint16)
    photograph = pillow_heif.from_bytes("RGB;10", wanted.shape[1::-1], levels.tobytes())
    codes = {"color_primaries": 9, "transfer_characteristics": PQ, "matrix_coefficients": 9}
    photograph.save(
        tmp_path / "p.heic", quality=-1, chroma=444, full_range_flag=1,
        save_nclx_profile=tagged, **codes,
    )  # fmt: skip
    assert level_error(read_picture(tmp_path / "p.heic"), wanted) < 1.5


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_avif_of_high_range_is_read_with_all_its_bits(tmp_path, transfer):
    wanted = gradient()
    planes = planes_2020(hdr_signal(wanted.astype(float), transfer))
    colour = {"colorspace": 9, "color_primaries": 9, "color_trc": transfer, "color_range": 1}
    path = write_clip(
        tmp_path / "p.avif", [planes << 6], "libsvtav1", pix_fmt="yuv420p10le",
        settings=colour, options={"crf": "1", "preset": "8"},
    )  # fmt: skip
    assert level_error(read_picture(path), wanted) < 1.5


@pytest.mark.parametrize("transfer", [HLG, PQ])
def test_highlights_are_rolled_off_and_keep_their_order(transfer):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None, :, None].repeat(3, 2)
    grey = to_standard(ramp, transfer, 9)[0]
    assert (np.ptp(grey.astype(int), axis=1) <= 1).all()
    assert (np.diff(grey[:, 0].astype(int)) >= 0).all()
    assert grey[-1, 0] >= 250
    assert len(np.unique(grey[:, 0])) > 120


@pytest.mark.parametrize("matrix", [8, 12])
def test_matrices_that_the_scaler_refuses_give_a_picture(tmp_path, matrix):
    wanted = gradient()
    r, g, b = np.moveaxis(wanted.astype(float) / 255, -1, 0)
    if matrix == 8:
        y, u, v = (r + 2 * g + b) / 4, (-r + 2 * g - b) / 4, (r - b) / 2
    else:
        y = 0.2126 * r + 0.7152 * g + 0.0722 * b
        u, v = (b - y) / 1.8556, (r - y) / 1.5748
    planes = np.stack([219 * y + 16, 224 * u + 128, 224 * v + 128]).round().astype(np.uint8)
    colour = {"colorspace": matrix, "color_primaries": 1, "color_trc": 1, "color_range": 1}
    words = np.moveaxis(planes, 0, -1).astype(np.uint16) << 8
    path = write_clip(tmp_path / "m.mkv", [words], "ffv1", pix_fmt="yuv444p16le", settings=colour)
    assert level_error(read_picture(path), wanted) < 1.5


@pytest.mark.parametrize("matrix", [10, 11, 13, 14])
def test_unknown_matrices_are_one_line_with_the_name(tmp_path, matrix):
    colour = {"colorspace": matrix, "color_primaries": 9, "color_trc": 14, "color_range": 1}
    path = write_clip(tmp_path / "m.mkv", [gradient()], "ffv1", settings=colour)
    with pytest.raises(FacecodecError) as error:
        read_picture(path)
    assert str(error.value).startswith(f"{path}: its colours are coded by matrix {matrix}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("transfer", [8, 9, 10, 17])
def test_linear_and_logarithmic_pictures_are_not_taken_for_ordinary(transfer):
    coded = np.full((2, 2, 3), 32768, np.uint16)
    level = int(to_standard(coded, transfer, 1)[0, 0, 0])
    light = {8: 0.5, 9: 0.1, 10: 10**-1.25, 17: 0.5**2.6 * 52.37 / 48}[transfer]
    assert level == pytest.approx(255 * light ** (1 / 2.4), abs=1)


def test_saturated_bt709(faults):
    """Its planes hold 81, 107 and 192 everywhere: 190.4, 46.1 and 31.3 by BT.709."""
    assert (read_picture(faults / "red709.mp4") == [190, 46, 31]).all()


def test_photographs_leave_their_colour_profile(tmp_path):
    """Display P3 as phones write it: a red that sRGB reaches with a higher number."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(p3_profile()))
    wanted = gradient()
    wide = ImageCms.profileToProfile(
        Image.fromarray(wanted), ImageCms.createProfile("sRGB"), profile
    )
    assert level_error(np.asarray(wide), wanted) > 1.5
    wide.save(tmp_path / "p3.png", icc_profile=profile.tobytes())
    assert level_error(read_picture(tmp_path / "p3.png"), wanted) < 1.5


def p3_profile() -> bytes:
    """An ICC profile of Display P3's primaries, D50-adapted, with a gamma of 2.2."""
    import struct

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))

    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 3) + b"P3\0" + bytes(78),
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249),
        b"rXYZ": b"XYZ " + bytes(4) + fixed(0.5151, 0.2412, -0.0011),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(0.2920, 0.6922, 0.0419),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(0.1571, 0.0666, 0.7841),
    }
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body = struct.pack(">I", len(tags)), b""
    offset = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642, 1, 0.8249)
    return head + bytes(128 - len(head)) + table + body
