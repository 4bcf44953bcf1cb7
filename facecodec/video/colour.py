"""From a decoded frame to 8-bit RGB as a screen of BT.709 shows it.

`planes` undoes the matrix (YCbCr). Here are transfer functions of high dynamic range (SMPTE ST
2084, "PQ"; Rec. ITU-R BT.2100, "HLG"), wide primaries (BT.2020, P3), and the inverse, from RGB to
what video encoders take. Code points are those of Rec. ITU-T H.273.
"""

from __future__ import annotations

from functools import cache

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from facecodec.errors import FacecodecError
from facecodec.types import Picture
from facecodec.video.planes import WEIGHTS, YCGCO, planes_of

Linear = NDArray[np.float32]

SDR_WHITE = 203.0  # cd/m2 of a sheet of paper in HDR (Rec. ITU-R BT.2408)
HLG_PEAK = 1000.0  # cd/m2 of the display that HLG is graded for
HLG_GAMMA = 1.2  # of that display (BT.2100, table 5)
DISPLAY_GAMMA = 2.4  # of a display of standard range (BT.1886)
HIGHLIGHT_KNEE = 0.8  # share of SDR white above which highlights are compressed
NUM_LEVELS = 1 << 16

LINEAR, LOG_100, LOG_316, PQ, ST428, HLG = 8, 9, 10, 16, 17, 18
OWN_TRANSFERS = (LINEAR, LOG_100, LOG_316, PQ, ST428, HLG)
BT709, BT601, BT2020, CHROMA_DERIVED = 1, 5, 9, 12
# Without these flags libav's scaler cuts fractions off, between RGB and YCbCr in both directions:
# pictures become 1 to 2 grey levels darker, and colours that are written shift by a quarter of one.
EXACT = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
SMOOTHLY = int(EXACT | Interpolation.BICUBIC)
IN_MEANS = int(EXACT | Interpolation.AREA)
PLAINLY = int(EXACT | Interpolation.BILINEAR)
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
    if matrix == CHROMA_DERIVED and int(frame.color_primaries) in (BT709, BT2020):
        matrix = int(frame.color_primaries)  # derived from them, they give the matrix of their name
        frame.colorspace = matrix
    special = int(frame.color_trc) in OWN_TRANSFERS or int(frame.color_primaries) in PRIMARIES
    special = special and (int(frame.color_trc) in OWN_TRANSFERS or frame.color_primaries != BT709)
    coded = not frame.format.is_rgb and len(frame.format.components) > 1
    if coded and matrix not in WEIGHTS and matrix != YCGCO:
        raise FacecodecError(f"its colours are coded by matrix {matrix}, which is not known here")
    if size is not None and size != (frame.width, frame.height):
        frame = frame.reformat(*size, format=frame.format.name, interpolation=SMOOTHLY, threads=1)
    planes = planes_of(frame)
    if planes is not None:
        levels = planes.in_rgb(matrix, special)
    elif coded and matrix == YCGCO:
        raise FacecodecError(f"its pictures ({frame.format.name}) are in YCgCo, which is not known")
    else:
        name = "rgb48le" if special else "rgb24"
        levels = frame.reformat(format=name, interpolation=PLAINLY).to_ndarray()
    if special:
        return to_standard(levels, int(frame.color_trc), int(frame.color_primaries))
    return levels.astype(np.uint8, copy=False)


def from_rgb(image: Picture, format: str, matrix: int = BT709) -> av.VideoFrame:
    """Return a picture, uint8 RGB [H, W, 3], as a frame in a pixel format of libav's.

    matrix: of what is not RGB, in limited range.
    """
    coded, (height, width) = av.VideoFormat(format), image.shape[:2]
    if not coded.is_rgb and (height % 2 or width % 2):
        image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    if coded.is_rgb:
        return frame.reformat(format=format, threads=1)
    frame = frame.reformat(
        format=format, dst_colorspace=matrix, dst_color_range="MPEG", interpolation=PLAINLY,
        threads=1,
    )  # fmt: skip
    return frame if image.shape[:2] == (height, width) else _cut(frame, width, height)


def _cut(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Return the left and upper part of a frame in planes.

    libav would spread half as many columns of chroma, rounded up, over an odd number of pixels,
    instead of two to each, and so shift colours.
    """
    part = av.VideoFrame(width, height, frame.format.name)
    for plane, whole in zip(part.planes, frame.planes, strict=True):
        lines = np.frombuffer(memoryview(whole), np.uint8).reshape(-1, whole.line_size)
        taken = np.zeros((plane.height, plane.line_size), np.uint8)
        used = min(plane.line_size, whole.line_size)
        taken[:, :used] = lines[: plane.height, :used]
        plane.update(taken.tobytes())
    part.colorspace, part.color_range = frame.colorspace, frame.color_range
    return part


def scaled(picture: Picture, size: tuple[int, int], method: int = IN_MEANS) -> Picture:
    """Return a picture [H, W, 3] scaled to `size` (width, height).

    method: `IN_MEANS`, of what falls on a pixel of the result, or `SMOOTHLY`.
    """
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    small = frame.reformat(*size, format="rgb24", interpolation=method, threads=1)
    levels = small.to_ndarray()
    return levels.astype(np.uint8, copy=False)


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
