"""From a decoded frame to 8-bit RGB as a screen of BT.709 shows it.

libav's scaler undoes the matrix (YCbCr). What it does not do, or does badly, is here: transfer
functions of high dynamic range (SMPTE ST 2084, "PQ"; Rec. ITU-R BT.2100, "HLG"), wide primaries
(BT.2020, P3), and the matrix YCgCo. Code points are those of Rec. ITU-T H.273.
"""

from __future__ import annotations

from functools import cache

import av
import numpy as np
from numpy.typing import NDArray

from facecodec.errors import FacecodecError
from facecodec.types import Picture

Linear = NDArray[np.float32]

SDR_WHITE = 203.0  # cd/m2 of a sheet of paper in HDR (Rec. ITU-R BT.2408)
HLG_PEAK = 1000.0  # cd/m2 of the display that HLG is graded for
HLG_GAMMA = 1.2  # of that display (BT.2100, table 5)
DISPLAY_GAMMA = 2.4  # of a display of standard range (BT.1886)
HIGHLIGHT_KNEE = 0.8  # share of SDR white above which highlights are compressed
NUM_LEVELS = 1 << 16

LINEAR, LOG_100, LOG_316, PQ, ST428, HLG = 8, 9, 10, 16, 17, 18
OWN_TRANSFERS = (LINEAR, LOG_100, LOG_316, PQ, ST428, HLG)
RGB, BT709, YCGCO, CHROMA_DERIVED = 0, 1, 8, 12
SCALER_MATRICES = (RGB, BT709, 2, 4, 5, 6, 7, 9)
# primaries -> x, y of red, green, blue and white
PRIMARIES = {
    1: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    8: (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}


def to_rgb(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Picture:
    """Return a frame as uint8 RGB [H, W, 3], scaled to `size` (width, height) where given.

    Raises FacecodecError for colours that nothing here can convert.
    """
    matrix = int(frame.colorspace)
    if matrix == CHROMA_DERIVED and int(frame.color_primaries) in (1, 9):
        matrix = int(frame.color_primaries)  # derived from them, they give the matrix of their name
        frame.colorspace = matrix
    special = int(frame.color_trc) in OWN_TRANSFERS or int(frame.color_primaries) in PRIMARIES
    special = special and (int(frame.color_trc) in OWN_TRANSFERS or frame.color_primaries != BT709)
    width, height = size or (frame.width, frame.height)
    if (
        matrix not in SCALER_MATRICES
        and not frame.format.is_rgb
        and len(frame.format.components) > 1
    ):
        if matrix != YCGCO:
            raise FacecodecError(
                f"its colours are coded by matrix {matrix}, which is not known here"
            )
        coded = _ycgco(frame, (width, height))
    elif special:
        deep = frame.reformat(width, height, format="rgb48le", interpolation="BICUBIC")
        coded = np.asarray(deep.to_ndarray(), np.uint16)
    elif size is None:
        return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    else:
        return np.asarray(
            frame.reformat(width, height, format="rgb24", interpolation="BICUBIC").to_ndarray(),
            np.uint8,
        )
    if not special:
        return (coded >> 8).astype(np.uint8)
    return to_standard(coded, int(frame.color_trc), int(frame.color_primaries))


def to_standard(coded: NDArray[np.uint16], transfer: int, primaries: int) -> Picture:
    """Return pictures of any transfer function and primaries as 8-bit BT.709.

    coded: R'G'B' [H, W, 3] of full range, 0 to 65535. Highlights above `SDR_WHITE` are rolled off.
    """
    light = _light_of_level(transfer)[coded]
    if transfer == HLG:
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        bent = np.power(luminance, np.float32(HLG_GAMMA - 1), where=luminance > 0, out=luminance)
        light *= (bent * np.float32(HLG_PEAK / SDR_WHITE))[..., None]
    if primaries in PRIMARIES and primaries != BT709:
        light = light @ _to_bt709(primaries).T
    np.maximum(light, 0, out=light)
    if transfer in (PQ, HLG):
        brightest = np.maximum(np.maximum(light[..., 0], light[..., 1]), light[..., 2])
        over = brightest > HIGHLIGHT_KNEE
        light[over] *= (rolled_off(brightest[over]) / brightest[over])[:, None]
    light *= NUM_LEVELS - 1
    light += 0.5
    np.minimum(light, NUM_LEVELS - 1, out=light)
    picture: Picture = _level_of_light()[light.astype(np.uint16)]
    return picture


def rolled_off(light: Linear) -> Linear:
    """Return light above the knee compressed to below 1, SDR white, without a kink."""
    over = (light - HIGHLIGHT_KNEE) / (1 - HIGHLIGHT_KNEE)
    return (HIGHLIGHT_KNEE + (1 - HIGHLIGHT_KNEE) * over / (1 + over)).astype(np.float32)


@cache
def _light_of_level(transfer: int) -> Linear:
    """Return the light of each of `NUM_LEVELS` coded values; 1 is SDR white (HLG: scene light)."""
    v = np.linspace(0, 1, NUM_LEVELS)
    if transfer == PQ:  # ST 2084, equation 4.1
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = v ** (1 / m2)
        light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * 10000 / SDR_WHITE
    elif transfer == HLG:  # BT.2100, table 5, inverse OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(v <= 0.5, v * v / 3, (np.exp((v - c) / a) + b) / 12)
    elif transfer == LINEAR:
        light = v
    elif transfer in (LOG_100, LOG_316):
        light = np.where(v > 0, 10 ** ((v - 1) * (2.0 if transfer == LOG_100 else 2.5)), 0)
    elif transfer == ST428:
        light = v**2.6 * 52.37 / 48
    else:
        light = v**DISPLAY_GAMMA
    return light.astype(np.float32)


@cache
def _level_of_light() -> Picture:
    """Return the 8-bit level for each of `NUM_LEVELS` amounts of light, 0 to 1 (BT.1886)."""
    light = np.linspace(0, 1, NUM_LEVELS)
    levels: Picture = np.round(255 * light ** (1 / DISPLAY_GAMMA)).astype(np.uint8)
    return levels


@cache
def _to_bt709(primaries: int) -> Linear:
    """Return the matrix [3, 3] from linear RGB of other primaries to that of BT.709."""
    matrix = np.linalg.inv(_to_xyz(BT709)) @ _to_xyz(primaries)
    white = matrix.sum(1, keepdims=True)  # it stays white
    return np.asarray(matrix / white, np.float32)


def _to_xyz(primaries: int) -> NDArray[np.float64]:
    points = np.array(PRIMARIES[primaries]).reshape(4, 2)
    xyz = np.c_[points, 1 - points.sum(1)] / points[:, 1:]
    matrix: NDArray[np.float64] = xyz[:3].T * np.linalg.solve(xyz[:3].T, xyz[3])
    return matrix


def _ycgco(frame: av.VideoFrame, size: tuple[int, int]) -> NDArray[np.uint16]:
    """Return R'G'B' [H, W, 3], 0 to 65535, of a frame in YCgCo."""
    frame.colorspace = BT709  # any that the scaler knows: it moves planes only
    planes = frame.reformat(*size, format="yuv444p16le").to_ndarray().astype(np.float32) / 65535
    y, cg, co = np.moveaxis(planes, -1, 0)
    if int(frame.color_range) == 2:
        cg, co = cg - 128 / 255, co - 128 / 255
    else:
        y, cg, co = (y * 255 - 16) / 219, (cg * 255 - 128) / 224, (co * 255 - 128) / 224
    rgb = np.stack([y - cg + co, y + cg, y - cg - co], -1)
    return (rgb.clip(0, 1) * 65535 + 0.5).astype(np.uint16)
