"""Pictures in planes of luma and chroma (Y'CbCr) to RGB, rounded and not cut off, in C++.

libav's quick way cuts fractions off, which makes a picture 1 to 2 grey levels darker; its exact one
takes three times as long as this. A wheel may bring the library; else it is built where it is first
used. Where neither can be, numpy does the same sums, to the bit, ten times slower.

Matrices and ranges: Rec. ITU-T H.273, 8.3. Chroma lies midway between pixels, as libav takes it.
"""

from __future__ import annotations

import ctypes
import functools
import re
from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from cuda_ops.plain import PlainLibrary

FOLDER = Path(__file__).parent

NAMES = re.compile(r"yuv([aj]?)(420|422|440|444)p(?:(9|10|12|14|16)le)?")
# The same planes in other orders in memory: libav moves them, and changes no level.
MOVED = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p",
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p",
    "p010le": "yuv420p10le", "p016le": "yuv420p16le", "p210le": "yuv422p10le",
}  # fmt: skip
YCGCO = 8
# code -> what red and blue weigh in luma; as libav does, what is not said is taken for BT.601
_BT601, _BT709, _BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)
WEIGHTS = {
    0: _BT709, 1: _BT709, 2: _BT601, 4: (0.30, 0.11), 5: _BT601, 6: _BT601, 7: (0.212, 0.087),
    9: _BT2020,
}  # fmt: skip
FULL_RANGE = 2  # a code of libav's
FRACTION_BITS = {False: 20, True: 12}  # in results of 8 bits and of 16: sums fit into 32
MOST_BITS = 12  # of a level: what shares of more weigh is not a large enough number
CHROMA_SHARES = 16  # of four levels, from which chroma is interpolated

Levels = NDArray[Any]  # uint8 or uint16


class Job(Structure):
    """FacecodecPlanes of planes.cpp."""

    _fields_ = [
        ("planes", c_void_p * 3), ("strides", c_int64 * 3), ("rgb", c_void_p),
        ("width", c_int32), ("height", c_int32), ("across", c_int32), ("down", c_int32),
        ("wide", c_int32), ("deep", c_int32), ("black", c_int32), ("grey", c_int32),
        ("luma", c_int32), ("chroma", c_int32 * 2 * 3), ("fraction", c_int32),
    ]  # fmt: skip


@dataclass(frozen=True)
class Planes:
    """Levels of one picture: Y [H, W], and U and V, of half as many columns or rows as it may be.

    bits: of a level. full: whether luma takes all levels, and not 16 to 235 of 255.
    """

    y: Levels
    u: Levels
    v: Levels
    bits: int
    full: bool

    def in_rgb(self, matrix: int, deep: bool = False) -> Levels:
        """Return the picture as R'G'B' [H, W, 3]: uint8, or uint16 of 0 to 65535 where `deep`.

        matrix: a code of H.273 that `WEIGHTS` has, or `YCGCO`. Raises MemoryError.
        """
        if self.bits > MOST_BITS:
            return self._rounded().in_rgb(matrix, deep)
        height, width = self.y.shape
        black = 0 if self.full else 16 << self.bits - 8
        grey = 1 << self.bits - 1
        last = (1 << self.bits) - 1
        luma, chroma = (last, last) if self.full else (219 << self.bits - 8, 224 << self.bits - 8)
        unit = (65535 if deep else 255) << FRACTION_BITS[deep]
        job = Job(
            width=width, height=height, across=self.u.shape[1] < width,
            down=self.u.shape[0] < height, wide=self.bits > 8, deep=deep, black=black, grey=grey,
            luma=round(unit / luma), fraction=FRACTION_BITS[deep],
        )  # fmt: skip
        for colour, shares in enumerate(_of_chroma(matrix)):
            for plane, share in enumerate(shares):
                job.chroma[colour][plane] = round(share * unit / (chroma * CHROMA_SHARES))
        converted_by = library()
        if converted_by is None:
            return _in_numpy(self, job)
        rgb = np.empty((height, width, 3), np.uint16 if deep else np.uint8)
        job.rgb = rgb.ctypes.data
        for plane, levels in enumerate((self.y, self.u, self.v)):
            assert levels.strides[1] == levels.itemsize == job.wide + 1
            job.planes[plane], job.strides[plane] = levels.ctypes.data, levels.strides[0]
        if converted_by.facecodec_planes(byref(job)):
            raise MemoryError("no memory for the colours of a picture")
        return rgb

    def _rounded(self) -> Planes:
        """Return the picture with `MOST_BITS` bits a level."""
        less, last = self.bits - MOST_BITS, (1 << MOST_BITS) - 1
        y, u, v = (
            np.minimum((levels.astype(np.int32) + (1 << less >> 1)) >> less, last).astype(np.uint16)
            for levels in (self.y, self.u, self.v)
        )
        return Planes(y, u, v, MOST_BITS, self.full)


def planes_of(frame: av.VideoFrame) -> Planes | None:
    """Return the planes of a frame, which they share; None for what is not coded in such ones."""
    if frame.format.name in MOVED:
        frame = frame.reformat(format=MOVED[frame.format.name])
    named = NAMES.fullmatch(frame.format.name)
    if named is None or len(frame.planes) < 3:
        return None
    bits = int(named[3] or 8)
    parts = []
    for plane in frame.planes[:3]:
        if plane.line_size <= 0:  # upside down
            return None
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            : plane.height
        ]
        levels = lines.view(np.uint16) if bits > 8 else lines
        parts.append(levels[:, : plane.width])
    full = named[1] == "j" or int(frame.color_range) == FULL_RANGE
    y, u, v = parts
    return Planes(y, u, v, bits, full)


def _of_chroma(matrix: int) -> tuple[tuple[float, float], ...]:
    """Return what U and V, -.5 to .5, add to red, green and blue, 0 to 1."""
    if matrix == YCGCO:
        return (-1.0, 1.0), (1.0, 0.0), (-1.0, -1.0)
    red, blue = WEIGHTS[matrix]
    of_u, of_v = 2 * (1 - blue), 2 * (1 - red)
    green = 1 - red - blue
    return (0.0, of_v), (-of_u * blue / green, -of_v * red / green), (of_u, 0.0)


def plain() -> PlainLibrary:
    """Return how the library is made."""
    from cuda_ops.plain import PlainLibrary

    without = "colours are converted by numpy, which takes longer"
    return PlainLibrary(sources=(FOLDER / "planes.cpp",), native=True, without=without)


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the library, None where there is none."""
    loaded = plain().load()
    if loaded is None:
        return None
    loaded.facecodec_planes.argtypes = [POINTER(Job)]
    loaded.facecodec_planes.restype = c_int32
    loaded.facecodec_planes_size.restype = c_int64
    return loaded


def _in_numpy(planes: Planes, job: Job) -> Levels:
    """Return what planes.cpp does."""
    height, width = planes.y.shape
    luma = job.luma * (planes.y.astype(np.int32) - job.black)
    u, v = (
        _spread(_spread(chroma.astype(np.int32) - job.grey, height, 0), width, 1)
        for chroma in (planes.u, planes.v)
    )
    rgb = np.empty((height, width, 3), np.uint16 if job.deep else np.uint8)
    last = np.iinfo(rgb.dtype).max
    for colour in range(3):
        of_u, of_v = job.chroma[colour]
        total = luma + of_u * u + of_v * v + (1 << job.fraction >> 1)
        rgb[..., colour] = (total >> job.fraction).clip(0, last)
    return rgb


def _spread(levels: NDArray[np.int32], size: int, axis: int) -> NDArray[np.int32]:
    """Return chroma for `size` rows or columns of pixels, four times as large."""
    if levels.shape[axis] == size:
        return 4 * levels
    at = np.arange(size)
    far = (at // 2 + np.where(at % 2, 1, -1)).clip(0, levels.shape[axis] - 1)
    return 3 * levels.take(at // 2, axis) + levels.take(far, axis)
