"""The structures of stylegan2_abi.h, mirrored field by field, and their launchers."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_float, c_int, c_int32, c_void_p

from cuda_ops.cpu.library import library


class Finish(Structure):
    """FacecodecFinish."""

    _fields_ = [
        ("scale", c_void_p), ("noise", c_void_p), ("bias", c_void_p), ("clamp", c_float),
    ]  # fmt: skip


class Modulated(Structure):
    """FacecodecModulated."""

    _fields_ = [
        ("source", c_void_p), ("style", c_void_p), ("weights", c_void_p), ("result", c_void_p),
        ("frames", c_int32), ("inputs", c_int32), ("outputs", c_int32), ("height", c_int32),
        ("width", c_int32), ("up", c_int32), ("tile", c_int32), ("bf16", c_int32),
        ("finish", Finish), ("threads", c_int32),
    ]  # fmt: skip


class Smooth(Structure):
    """FacecodecSmooth."""

    _fields_ = [
        ("source", c_void_p), ("result", c_void_p), ("frames", c_int32), ("channels", c_int32),
        ("height", c_int32), ("width", c_int32), ("filter", c_int32), ("finish", Finish),
        ("threads", c_int32),
    ]  # fmt: skip


class Colours(Structure):
    """FacecodecColours."""

    _fields_ = [
        ("source", c_void_p), ("weight", c_void_p), ("bias", c_void_p), ("coarse", c_void_p),
        ("result", c_void_p), ("frames", c_int32), ("channels", c_int32), ("height", c_int32),
        ("width", c_int32), ("clamp", c_float), ("threads", c_int32),
    ]  # fmt: skip


class Fir(Structure):
    """FacecodecFir."""

    _fields_ = [
        ("source", c_void_p), ("result", c_void_p), ("planes", c_int32), ("height", c_int32),
        ("width", c_int32), ("out_height", c_int32), ("out_width", c_int32), ("up", c_int32),
        ("down", c_int32), ("pad", c_int32), ("count", c_int32), ("taps", c_void_p),
        ("threads", c_int32),
    ]  # fmt: skip


LAUNCHERS: dict[type[Structure], str] = {
    Modulated: "facecodec_modulated",
    Smooth: "facecodec_smooth",
    Colours: "facecodec_colours",
    Fir: "facecodec_fir",
}


def run(job: Structure) -> None:
    """Run a job. Raises MemoryError when a thread finds no memory for its lines."""
    launcher = getattr(library(), LAUNCHERS[type(job)])
    launcher.argtypes, launcher.restype = [POINTER(type(job))], c_int
    if launcher(ctypes.byref(job)):
        raise MemoryError("no memory for the kernels' lines")
