"""A person painted into a frame in C++ (paint.cpp): one pass over the pixels instead of forty.

A wheel may bring the library; else it is built where it is first used. Where neither can be,
`painting` does the same with torch, several times slower.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, Structure, byref, c_double, c_float, c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cuda_ops.plain import PlainLibrary
from facecodec.compositing.placing import Window, unit_steps
from facecodec.face.alignment import Alignment
from facecodec.face.matte import HAZE
from facecodec.types import Picture

FOLDER = Path(__file__).parent
QUICK_SUMS = (
    "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-ffinite-math-only",
)  # fmt: skip
MOST_SHRUNK = 256  # times, whose rows' sum fits into 16 bits
MOST_SUMMED = 4  # bytes whose sum fits into 10 bits


class Job(Structure):
    """FacecodecPaint of paint.cpp."""

    _fields_ = [
        ("frame", c_void_p), ("frame_stride", c_int64), ("square", c_void_p),
        ("fields", c_void_p), ("both", c_void_p), ("origin", c_double * 2),
        ("right", c_double * 2), ("below", c_double * 2), ("width", c_int32), ("height", c_int32),
        ("side", c_int32), ("wide", c_int32), ("rows", c_int32), ("columns", c_int32),
        ("step", c_int32), ("spread", c_int32), ("scale", c_float), ("haze", c_float),
        ("behind", c_float), ("unused", c_int32),
    ]  # fmt: skip


def plain() -> PlainLibrary:
    """Return how the library is made."""
    without = "heads are laid over frames by torch, which takes longer"
    return PlainLibrary(
        sources=(FOLDER / "paint.cpp",), flags=QUICK_SUMS, native=True, without=without
    )


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the library, None where there is none."""
    loaded = plain().load()
    if loaded is None:
        return None
    loaded.facecodec_paint.argtypes = [POINTER(Job)]
    loaded.facecodec_paint.restype = c_int32
    loaded.facecodec_paint_size.restype = c_int64
    loaded.facecodec_shrink.argtypes = [c_void_p, c_int32, c_int32, c_void_p]
    loaded.facecodec_shrink.restype = c_int32
    return loaded


def paint(
    painted_by: ctypes.CDLL,
    result: Picture,
    square: tuple[NDArray[Any], int],
    fields: tuple[Tensor, Tensor],
    there: tuple[Alignment, Window, int],
    behind: float,
) -> None:
    """Lay a person into a frame [H, W, 3], as `painting.paint` does. Raises MemoryError.

    square: integers [S, S, 3], sums of so many pixels each. fields: [6, h, w],
    and `front_and_back` [6, s, s]. there: the square's place, the part of the frame, and the
    pixels between two of the fields. behind: alpha up to which nothing of the person shows.
    """
    (levels, summed), (coarse, both), (place, window, step) = square, fields, there
    if summed > MOST_SUMMED:
        levels, summed = (levels // (summed // MOST_SUMMED)).astype(np.uint16), MOST_SUMMED
    levels = np.ascontiguousarray(levels)
    coarse, both = coarse.float().contiguous(), both.float().contiguous()
    origin, right, below = unit_steps(place, window)
    part = result[window.top :, window.left :]
    assert result.dtype == np.uint8 and part.strides[1:] == (3, 1)
    job = Job(
        frame=part.ctypes.data, frame_stride=part.strides[0], square=levels.ctypes.data,
        fields=coarse.data_ptr(), both=both.data_ptr(),
        origin=(c_double * 2)(*origin), right=(c_double * 2)(*right),
        below=(c_double * 2)(*below),
        width=window.right - window.left, height=window.bottom - window.top,
        side=levels.shape[0], wide=levels.dtype == np.uint16, rows=coarse.shape[1],
        columns=coarse.shape[2], step=step, spread=both.shape[1], scale=1 / summed, haze=HAZE,
        behind=behind,
    )  # fmt: skip
    if painted_by.facecodec_paint(byref(job)):
        raise MemoryError("no memory to lay a head over a frame")


def shrunk(shrunk_by: ctypes.CDLL, square: Picture, size: int) -> Tensor:
    """Return the means of a square's pixels [S, S, 3], float32 [3, size, size] of 0 to 255.

    size: a divisor of S, of which S is at most `MOST_SHRUNK` times. Raises MemoryError.
    """
    side = len(square)
    assert square.dtype == np.uint8 and side % size == 0 and side <= MOST_SHRUNK * size
    square, means = np.ascontiguousarray(square), torch.empty(3, size, size)
    if shrunk_by.facecodec_shrink(square.ctypes.data, side, side // size, means.data_ptr()):
        raise MemoryError("no memory to shrink a square")
    return means
