"""AV1 for the context: pictures that decode after a plate, and a decoder that trusts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import av

from facecodec.bitstream import ContextPlate
from facecodec.errors import FacecodecError
from facecodec.types import Picture
from facecodec.video.colour import from_rgb
from facecodec.video.manners import quiet, usual_priority

CODEC = "av1"  # its name in a stream, where the face's place is painted over
CODEC_WITH_FACE = "av1-face"  # and where it is not
CODECS = (CODEC, CODEC_WITH_FACE)
ENCODER, DECODER = "libsvtav1", "libdav1d"
QUANTISERS = (12, 63)  # the finest and the coarsest
PRESET = "4"  # of SVT-AV1, 0 the slowest
DEEP = "yuv420p10le"  # ten bits cost nothing, and smooth walls show no bands
# One quantiser for all pictures (rc=0, aq-mode=0) and no filter over time, so that the first one's
# bytes depend on nothing that comes after it: any pictures may follow the same plate. One thread
# (lp=1): pictures this small gain nothing from more, and clips are encoded beside each other.
PARAMETERS = "lp=1:keyint=-1:enable-tf=0:rc=0:aq-mode=0:qp={quantiser}"


def check_encoder() -> None:
    """Raise FacecodecError where libav cannot code AV1."""
    if ENCODER not in av.codecs_available:
        raise FacecodecError(f"this build of PyAV has no {ENCODER}: there can be no context")


def is_shown(plate: ContextPlate | None) -> bool:
    """Return whether there is a context, and one that this program and its libav can show."""
    return plate is not None and plate.codec in CODECS and DECODER in av.codecs_available


def shows_face(plate: ContextPlate | None) -> bool:
    """Return whether there is a context that shows the face too, and that can be shown."""
    return plate is not None and plate.codec == CODEC_WITH_FACE and is_shown(plate)


def encode_after(
    plate: Picture, pictures: Sequence[Picture], quantiser: int, rate: Fraction
) -> list[bytes]:
    """Return the coded plate and the coded pictures after it: one packet for each.

    All are uint8 RGB [H, W, 3] of one size with even sides; rate: pictures a second. The plate's
    bytes are the same whatever follows. Raises FacecodecError where libav cannot.
    """
    context = av.CodecContext.create(ENCODER, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.height, context.width = plate.shape[:2]
    context.pix_fmt, context.framerate, context.time_base = DEEP, rate, 1 / rate
    context.color_range, context.colorspace = 1, 1  # limited range, BT.709
    parameters = PARAMETERS.format(quantiser=quantiser)
    context.options = {"preset": PRESET, "svtav1-params": parameters}
    packets: list[bytes] = []
    try:
        with quiet():
            with usual_priority():
                context.open()
            for number, picture in enumerate([plate, *pictures]):
                frame = from_rgb(picture, DEEP)
                frame.pts, frame.time_base = number, 1 / rate
                packets += [bytes(packet) for packet in context.encode(frame)]
            packets += [bytes(packet) for packet in context.encode(None)]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FacecodecError(f"the context cannot be coded ({error})") from error
    if len(packets) != len(pictures) + 1:
        raise FacecodecError(f"the context cannot be coded ({ENCODER} left pictures out)")
    return packets


def decoded(plate: ContextPlate, packets: Sequence[bytes]) -> Iterator[av.VideoFrame]:
    """Yield the picture of the plate, then those of the packets after it, as far as they decode.

    Whatever the bytes say, no picture is larger than the plate claims to be. Raises FacecodecError
    at what does not decode, and for pictures of another size.
    """
    if plate.codec not in CODECS:
        raise FacecodecError(f"a context in {plate.codec!r}, which this program does not read")
    context = av.CodecContext.create(DECODER, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.options = {"max_pixels": str(plate.width * plate.height)}
    context.thread_count = 1
    left = 1 + len(packets)
    try:
        for data in [plate.data, *packets, None]:
            with quiet():
                frames = context.decode(None if data is None else av.Packet(data))
            for frame in frames:
                if (frame.width, frame.height) != (plate.width, plate.height):
                    raise FacecodecError("a picture of another size than its context's")
                if left == 0:
                    raise FacecodecError("more pictures than are announced")
                left -= 1
                yield frame
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FacecodecError(f"pictures that do not decode ({error})") from error
    if left:
        raise FacecodecError(f"{left} pictures fewer than are announced")
