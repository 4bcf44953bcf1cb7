"""Tracks coded in C++ (tracks.cpp): the same bits as `tracks.py`, for streams of many frames.

The library needs no torch. A wheel may bring it; else it is built where it is first worth it. Where
neither can be, Python codes on, some twenty times slower.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_uint64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding.range_coder import Coder, RangeDecoder, RangeEncoder
from facecodec.errors import StreamError

if TYPE_CHECKING:
    from cuda_ops.plain import PlainLibrary
    from facecodec.bitstream.coding.tracks import TrackMemory

FOLDER = Path(__file__).parent
# So many values Python codes about as fast as the library is found, and a track of fewer than so
# many it codes faster than it hands them over.
VALUES_IN_PYTHON = 50_000
LEAST_VALUES = 300
MOST_BYTES = 64  # of a value: 16 decisions of at most 16 bits, and two times 48 even bits
FAILURES = {
    1: "a coded value is out of range",
    2: "a coded number of more than 48 bits",
    3: "a coded body that no encoder makes",
    4: "a coded value of more than 64 bytes",
}


class Job(Structure):
    """FacecodecTrack of tracks.cpp."""

    _fields_ = [
        ("fast", POINTER(c_int32)), ("slow", POINTER(c_int32)), ("low", c_uint64),
        ("range", c_uint64), ("code", c_uint64), ("out", ctypes.c_void_p), ("written", c_int64),
        ("room", c_int64), ("data", ctypes.c_char_p), ("bytes", c_int64), ("position", c_int64),
        ("levels", POINTER(c_int64)), ("frames", c_int32), ("width", c_int32), ("base", c_int32),
        ("decodes", c_int32), ("begins", c_int32), ("unused", c_int32), ("last", POINTER(c_int64)),
        ("short", POINTER(c_int64)), ("medium", POINTER(c_int64)), ("long", POINTER(c_int64)),
        ("drift", POINTER(c_int64)), ("before", POINTER(c_int64)),
    ]  # fmt: skip


class _Work:
    """How many values this process has coded so far."""

    values = 0


def plain() -> PlainLibrary:
    """Return how the library is made."""
    from cuda_ops.plain import PlainLibrary

    without = "streams are read and written by Python, which takes longer"
    return PlainLibrary(sources=(FOLDER / "tracks.cpp",), without=without)


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the library, None where there is none."""
    loaded = plain().load()
    if loaded is None:
        return None
    loaded.facecodec_code_track.argtypes = [POINTER(Job)]
    loaded.facecodec_code_track.restype = c_int32
    loaded.facecodec_track_size.restype = c_int64
    return loaded


def worth_it(coder: Coder, values: int) -> ctypes.CDLL | None:
    """Return the library where it is worth to code `values` more values with it, else None."""
    _Work.values += values
    if _Work.values < VALUES_IN_PYTHON or values < LEAST_VALUES:
        return None
    return library() if isinstance(coder, RangeEncoder | RangeDecoder) else None


def code_track(
    coded_by: ctypes.CDLL,
    coder: Coder,
    base: int,
    levels: NDArray[np.int64],
    memory: TrackMemory,
    decodes: bool,
) -> None:
    """Code a track as `tracks.code_track` does: levels int64 [frames, width], read or written.

    coder: a RangeEncoder or a RangeDecoder, which goes on from here. Raises StreamError.
    """
    assert isinstance(coder, RangeEncoder | RangeDecoder)
    frames, width = levels.shape
    fast, slow = np.array(coder.fast, np.int32), np.array(coder.slow, np.int32)
    past = [memory.last or [0] * width, memory.short, memory.medium, memory.long, memory.drift]
    rows = np.array([*past, memory.before], np.int64)
    job = Job(
        fast=_pointer(fast, c_int32), slow=_pointer(slow, c_int32), range=coder.range,
        levels=_pointer(levels, c_int64), frames=frames, width=width, base=base, decodes=decodes,
        begins=memory.last is None,
        **{
            name: _pointer(row, c_int64)
            for name, row in zip(
                ("last", "short", "medium", "long", "drift", "before"), rows, strict=True
            )
        },
    )  # fmt: skip
    if isinstance(coder, RangeDecoder):
        job.code, job.position = coder.code, coder.position
        job.data, job.bytes = coder.data, len(coder.data)
        _run(coded_by, job)
        coder.code, coder.position = job.code, job.position
    else:
        out = np.empty(len(coder.out) + levels.size * MOST_BYTES, np.uint8)
        out[: len(coder.out)] = coder.out
        job.low, job.out, job.written, job.room = (
            coder.low,
            out.ctypes.data,
            len(coder.out),
            len(out),
        )
        _run(coded_by, job)
        coder.low, coder.out = job.low, bytearray(out[: job.written].tobytes())
    coder.range = job.range
    coder.fast[:], coder.slow[:] = fast.tolist(), slow.tolist()
    if frames:
        memory.last = rows[0].tolist()
    memory.short, memory.medium, memory.long, memory.drift, memory.before = rows[1:].tolist()


def _run(coded_by: ctypes.CDLL, job: Job) -> None:
    """Run a job. Raises StreamError for what breaks the format."""
    failure = coded_by.facecodec_code_track(byref(job))
    if failure:
        raise StreamError(FAILURES[failure])


def _pointer(values: NDArray[Any], kind: Any) -> Any:
    return values.ctypes.data_as(POINTER(kind))
