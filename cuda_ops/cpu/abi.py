"""The structures of the headers *abi.h, mirrored field by field, and their launchers.

Sizes are compared with the compiler's by the tests (`facecodec_size`).
"""

from __future__ import annotations

from ctypes import Structure, c_float, c_int32, c_int64, c_void_p


class Conv(Structure):
    """FacecodecConv."""

    _fields_ = [
        ("depthwise", c_void_p), ("pointwise", c_void_p), ("noise", c_void_p), ("bias", c_void_p),
        ("style", c_void_p), ("style_stride", c_int64), ("inputs", c_int32), ("outputs", c_int32),
        ("packed", c_int32), ("products16", c_int32),
    ]  # fmt: skip


class Block(Structure):
    """FacecodecBlock."""

    _fields_ = [
        ("source", c_void_p), ("source_stride", c_int64), ("source_channels", c_int32),
        ("gain", c_void_p), ("gain_stride", c_int64), ("gain_factor", c_float), ("haar", c_int32),
        ("frames", c_int32), ("channels", c_int32), ("height", c_int32), ("width", c_int32),
        ("convs", c_int32), ("conv", Conv * 2), ("head", c_int32), ("head_weight", c_void_p),
        ("head_bias", c_void_p), ("head_style", c_void_p), ("head_stride", c_int64),
        ("result", c_void_p), ("kept", c_void_p * 2), ("layout", c_int32), ("threads", c_int32),
    ]  # fmt: skip


class BackConv(Structure):
    """FacecodecBackConv."""

    _fields_ = [
        ("depthwise", c_void_p), ("pointwise", c_void_p), ("kept", c_void_p), ("style", c_void_p),
        ("style_stride", c_int64), ("style_gradient", c_void_p), ("inputs", c_int32),
        ("outputs", c_int32),
    ]  # fmt: skip


class Backward(Structure):
    """FacecodecBackward."""

    _fields_ = [
        ("gradient", c_void_p), ("source", c_void_p), ("source_stride", c_int64),
        ("source_channels", c_int32), ("gain", c_void_p), ("gain_stride", c_int64),
        ("gain_factor", c_float), ("haar", c_int32),
        ("frames", c_int32), ("channels", c_int32), ("height", c_int32), ("width", c_int32),
        ("convs", c_int32), ("conv", BackConv * 2), ("head", c_int32), ("head_weight", c_void_p),
        ("head_style", c_void_p), ("head_stride", c_int64), ("head_gradient", c_void_p),
        ("gain_gradient", c_void_p), ("source_gradient", c_void_p), ("bands", c_int32),
        ("threads", c_int32), ("products16", c_int32),
    ]  # fmt: skip


class HaarBackward(Structure):
    """FacecodecHaarBackward."""

    _fields_ = [
        ("gradient", c_void_p), ("source", c_void_p), ("gain", c_void_p), ("gain_stride", c_int64),
        ("source_gradient", c_void_p), ("gain_gradient", c_void_p), ("frames", c_int32),
        ("channels", c_int32), ("height", c_int32), ("width", c_int32), ("threads", c_int32),
    ]  # fmt: skip


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


class Octave(Structure):
    """FacecodecOctave."""

    _fields_ = [
        ("large", c_void_p), ("small", c_void_p), ("result", c_void_p), ("kind", c_int32),
        ("planes", c_int32), ("height", c_int32), ("width", c_int32), ("threads", c_int32),
    ]  # fmt: skip


class Difference(Structure):
    """FacecodecDifference."""

    _fields_ = [
        ("pictures", c_void_p), ("targets", c_void_p), ("weights", c_void_p), ("result", c_void_p),
        ("sums", c_void_p), ("kind", c_int32), ("scale", c_float), ("frames", c_int32),
        ("channels", c_int32), ("pixels", c_int32), ("threads", c_int32),
    ]  # fmt: skip


# In the order of `facecodec_size` in block.cpp.
LAUNCHERS: dict[type[Structure], str] = {
    Block: "facecodec_block",
    Backward: "facecodec_backward",
    HaarBackward: "facecodec_haar_backward",
    Modulated: "facecodec_modulated",
    Smooth: "facecodec_smooth",
    Colours: "facecodec_colours",
    Fir: "facecodec_fir",
    Octave: "facecodec_octave",
    Difference: "facecodec_difference",
}
