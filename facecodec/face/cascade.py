"""dlib's shape predictor read by C++: four times as fast, and not rounded to pixels.

cascade.cpp reads landmarks, chip.cpp makes the view in which they are read.

For faces that are followed in real time. A wheel may bring the library; else it is built where it
is first asked for. Where neither can be, dlib reads on.
"""

from __future__ import annotations

import ctypes
import functools
import math
from ctypes import c_int32, c_int64, c_void_p
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facecodec.face.alignment import Alignment
from facecodec.face.layout import NUM_LANDMARKS
from facecodec.types import Picture

if TYPE_CHECKING:
    from cuda_ops.plain import PlainLibrary

FOLDER = Path(__file__).parent
SAME_EVERYWHERE = ("-ffp-contract=off",)  # without contraction, sums are those of any processor

Grey = NDArray[np.uint8]  # [S, S]


class Cascade:
    """The predictor of a file. For any threads at once."""

    def __init__(self, library: ctypes.CDLL, model: int) -> None:
        """`model`: what `facecodec_cascade_open` returned, which is never closed."""
        self._library, self._model = library, model

    def chip(self, frame: Picture, view: Alignment, side: int) -> Grey:
        """Return what a square of the frame [H, W, 3] shows, in grey, [side, side].

        Where dlib's `extract_image_chip` puts it. The frame is contiguous.
        """
        matrix = view.corner_matrix()
        place = np.concatenate([matrix[:, 2], matrix[:, 0], matrix[:, 1]])
        # the level of a pyramid of halves that dlib takes: the smallest that is large enough
        block = 2 ** max(0, math.floor(math.log2(max(view.size / side, 1))))
        block = max(1, min(block, min(frame.shape[:2]) // 2))
        grey = np.empty((side, side), np.uint8)
        failed = self._library.facecodec_grey_chip(
            frame.ctypes.data, frame.shape[0], frame.shape[1], place.ctypes.data, block, side,
            grey.ctypes.data,
        )  # fmt: skip
        if failed:
            raise MemoryError("no memory for a view of a face")
        return grey

    def read(self, chip: Grey, boxes: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the landmarks [N, 68, 2] read in boxes [N, 4] of a chip [S, S].

        Boxes are left, top, right, bottom; whole numbers are the centres of pixels in both.
        """
        boxes = np.ascontiguousarray(boxes, np.float64)
        points = np.empty((len(boxes), NUM_LANDMARKS, 2), np.float32)
        failed = self._library.facecodec_cascade_read(
            self._model, chip.ctypes.data, len(chip), boxes.ctypes.data, len(boxes),
            points.ctypes.data,
        )  # fmt: skip
        if failed:
            raise MemoryError("no memory for the landmarks of a face")
        return points


def plain() -> PlainLibrary:
    """Return how the library is made."""
    from cuda_ops.plain import PlainLibrary

    return PlainLibrary(
        sources=(FOLDER / "cascade.cpp", FOLDER / "chip.cpp"),
        flags=SAME_EVERYWHERE,
        without="landmarks are read by dlib, which takes four times as long",
    )


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the library, None where there is none."""
    loaded = plain().load()
    if loaded is None:
        return None
    loaded.facecodec_cascade_open.argtypes = [c_void_p, c_int64]
    loaded.facecodec_cascade_open.restype = c_void_p
    loaded.facecodec_cascade_read.argtypes = [
        c_void_p, c_void_p, c_int32, c_void_p, c_int32, c_void_p,
    ]  # fmt: skip
    loaded.facecodec_grey_chip.argtypes = [
        c_void_p, c_int32, c_int32, c_void_p, c_int32, c_int32, c_void_p,
    ]  # fmt: skip
    return loaded


@functools.cache
def cascade(predictor: Path) -> Cascade | None:
    """Return the predictor of a file of dlib's; None without the library.

    None, too, for a file that is no predictor of 68 landmarks: dlib says what is wrong with it.
    """
    reads = library()
    if reads is None:
        return None
    data = np.fromfile(predictor, np.uint8)
    model = reads.facecodec_cascade_open(data.ctypes.data, len(data))
    return None if model is None else Cascade(reads, model)
