"""Conventional encoders at a wanted rate: x264, x265, SVT-AV1 and VP9, through PyAV.

Only elementary streams are counted (packets and codec parameters, no container), which favours
the conventional encoders by some kilobytes a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from facecodec.errors import FacecodecError, UsageError
from facecodec.face.crop import resize
from facecodec.types import Picture
from facecodec.video.colour import BT709, from_rgb, to_rgb
from facecodec.video.manners import quiet, usual_priority

MAX_ENCODES = 4  # encodes to come near a rate
RATE_TOLERANCE = 0.05  # relative distance from the wanted rate that is near enough
# Of the logarithm of the rate for one step of quality: an octave in six steps is usual. Two encodes
# whose rates hardly differ say little of the slope, and would lead far astray.
USUAL_RATE_SLOPE = 0.11
MIN_RATE_SLOPE = USUAL_RATE_SLOPE / 5
WIDE_QUALITY_STEPS = 8  # of a range left to search that is halved when an estimate ends at its edge


@dataclass(frozen=True)
class Encoder:
    """One conventional encoder: libav's name, constant-quality options, the range of quality."""

    title: str
    codec: str
    best: int
    worst: int
    options: Callable[[int], dict[str, str]]


# Good settings, not the fastest: one key frame and then prediction, as a talking head allows.
# Default settings otherwise; `crf` holds quality, so that bits go where the motion is.
ENCODERS = {
    "x264": Encoder("x264", "libx264", 18, 51, lambda q: {
        "crf": str(q), "preset": "slow", "g": "9999", "x264-params": "log-level=-1"}),
    "x265": Encoder("x265", "libx265", 18, 51, lambda q: {
        "crf": str(q), "preset": "medium",
        "x265-params": f"crf={q}:keyint=-1:log-level=none:info=0"}),
    "svtav1": Encoder("SVT-AV1", "libsvtav1", 20, 63, lambda q: {
        "crf": str(q), "preset": "6", "svtav1-params": "keyint=-1:enable-overlays=0"}),
    "vp9": Encoder("VP9", "libvpx-vp9", 20, 63, lambda q: {
        "crf": str(q), "b:v": "0", "g": "9999", "deadline": "good", "cpu-used": "3",
        "lag-in-frames": "25", "row-mt": "1"}),
}  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """What an encoder made of a clip: its packets, codec parameters, and how to show them."""

    codec: str
    quality: int
    size: tuple[int, int]
    packets: list[bytes]
    extradata: bytes

    @property
    def bytes(self) -> int:
        """Return everything a decoder needs, in bytes."""
        return sum(map(len, self.packets)) + len(self.extradata)

    @property
    def first(self) -> int:
        """Return the bytes that are paid once a clip: parameters and the first packet."""
        return len(self.packets[0]) + len(self.extradata)


def encode_at_rate(
    frames: Callable[[], Iterable[Picture]],
    name: str,
    size: tuple[int, int],
    rate: Fraction,
    kbps: float,
    seconds: float,
) -> Encoded:
    """Encode frames at `size` so that the result comes near `kbps`.

    frames: called for every try, yields uint8 RGB of any size. When the rate lies below what the
    worst quality needs, or above what the best one does, that one is returned.
    `frames` are uint8 RGB [H, W, 3].
    """
    encoder = encoder_named(name)
    low, high = encoder.best, encoder.worst
    quality = (low + 2 * high) // 3
    tried: dict[int, tuple[float, Encoded]] = {}
    while len(tried) < MAX_ENCODES:
        made = encode(frames(), name, size, rate, quality)
        excess = float(np.log(made.bytes * 8e-3 / seconds / kbps))
        tried[quality] = excess, made
        if excess > 0:
            low = quality + 1
        else:
            high = quality - 1
        if abs(excess) < RATE_TOLERANCE or low > high:
            break
        quality = min(max(quality + round(excess / _slope(tried)), low), high)
        # Far from the end of a range that is still wide, a step of one gets nowhere.
        if high - low > WIDE_QUALITY_STEPS and quality in (low, high):
            quality = (low + high) // 2 if len(tried) > 1 else quality
    # Near the worst qualities the rate hardly falls while the picture does: of those about as near
    # to the rate, the best quality is the encoder's best answer.
    nearest = min(abs(excess) for excess, _ in tried.values())
    near = (q for q, (excess, _) in tried.items() if abs(excess) <= nearest + RATE_TOLERANCE)
    return tried[min(near)][1]


def _slope(tried: dict[int, tuple[float, Encoded]]) -> float:
    """Return by how much the logarithm of the rate falls from one quality to the next."""
    if len(tried) < 2:
        return USUAL_RATE_SLOPE
    (q, (excess, _)), (p, (before, _)) = list(tried.items())[-1], list(tried.items())[-2]
    return max((before - excess) / (q - p), MIN_RATE_SLOPE)


def encoder_named(name: str) -> Encoder:
    """Return an encoder. Raises UsageError for an unknown name or one libav was built without."""
    if name not in ENCODERS:
        raise UsageError(f"no codec {name!r}; there are: {', '.join(ENCODERS)}")
    encoder = ENCODERS[name]
    if encoder.codec not in av.codecs_available:
        raise UsageError(f"{name}: this build of PyAV has no {encoder.codec}")
    return encoder


def encode(
    frames: Iterable[Picture], name: str, size: tuple[int, int], rate: Fraction, quality: int
) -> Encoded:
    """Encode frames, uint8 RGB [H, W, 3], scaled to `size` (width, height; even), at one quality.

    Raises FacecodecError for a codec that libav lacks.
    """
    encoder = encoder_named(name)
    context = av.CodecContext.create(encoder.codec, "w")
    if not isinstance(context, av.VideoCodecContext):
        raise FacecodecError(f"{encoder.codec} is no video encoder")
    context.width, context.height = size
    context.pix_fmt, context.framerate, context.time_base = "yuv420p", rate, 1 / rate
    context.color_range, context.colorspace = 1, 1  # limited range, BT.709
    context.options = encoder.options(quality)
    packets: list[bytes] = []
    with quiet():
        with usual_priority():
            context.open()
        for i, picture in enumerate(frames):
            frame = from_rgb(resize(picture, size), "yuv420p")
            frame.pts, frame.time_base = i, 1 / rate
            packets += [bytes(packet) for packet in context.encode(frame)]
        packets += [bytes(packet) for packet in context.encode(None)]
    return Encoded(encoder.codec, quality, size, packets, bytes(context.extradata or b""))


def decoded(made: Encoded, size: tuple[int, int]) -> Iterator[Picture]:
    """Yield the frames [H, W, 3] of an encoded clip, scaled to `size` (width, height).

    Raises FacecodecError for a codec that libav lacks.
    """
    names = {"libx264": "h264", "libx265": "hevc", "libsvtav1": "libdav1d", "libvpx-vp9": "vp9"}
    context = av.CodecContext.create(names[made.codec], "r")
    if not isinstance(context, av.VideoCodecContext):
        raise FacecodecError(f"{made.codec}: no decoder")
    if made.extradata:
        context.extradata = made.extradata
    with quiet():
        for data in [*made.packets, None]:
            for frame in context.decode(None if data is None else av.Packet(data)):
                frame.colorspace = BT709  # since not every stream names it
                yield to_rgb(frame, size)


def even(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return a size scaled and rounded to even sides of at least 16, as 4:2:0 needs."""
    width, height = (max(16, 2 * round(side * scale / 2)) for side in size)
    return width, height
