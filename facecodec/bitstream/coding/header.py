"""The header chunk: which generator and rig, which quantiser, which frames (SPEC.md section 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding.binarise import SIGNED_SIZE, code_signed
from facecodec.bitstream.coding.range_coder import PROBABILITY_HALF, RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.steps import DEFAULT_QUALITY, step_codes, steps_from_codes
from facecodec.bitstream.fields import FieldReader, FieldWriter, storable_fraction
from facecodec.errors import StreamError, UsageError

PRECISIONS = ("quantised", "f16", "f32")
# Centre x, y and size of the aligned square in pixels, angle in radians.
NUM_PLACEMENT = 4
DEFAULT_PLACEMENT_STEPS = np.array([0.25, 0.25, 0.25, 1 / 512], np.float32)
# What the generators and rigs in use look like, by a byte: number of controls, rows and width of
# W+, side of the picture. Part of the format; 0 stands for none of them.
KNOWN_SHAPES = {1: (35, 16, 512, 1024), 2: (35, 18, 512, 1024)}
# The first byte: the version in its lower half, what else there is in its upper.
_VERSION_BITS = 4
_PRECISION_MASK = 3
_EXPLICIT_PLACEMENT = 4  # placement steps follow
_CODES_HEAD = 2  # bytes of the unit and of the first step
# Fields at the end of a header of version 2. One of an even tag may be passed over.
_KEY_FRAMES_TAG = 2

# The lowest and the highest value of each field.
QUALITY_RANGE = (0, 100)
NUM_CONTROLS_RANGE = (1, limits.MAX_CONTROLS)
NUM_WS_RANGE = (1, limits.MAX_NUM_WS)
W_DIM_RANGE = (1, limits.MAX_W_DIM)
RESOLUTION_RANGE = (4, limits.MAX_RESOLUTION)
SIDE_RANGE = (1, limits.MAX_SIDE)


def _default_placement_steps() -> NDArray[np.float32]:
    return DEFAULT_PLACEMENT_STEPS.copy()


@dataclass
class StreamHeader:
    """What a decoder must know before the first frame.

    generator_sha256, rig_sha256: 32 raw bytes each; decoding with others is refused.
    control_steps: float32 [num_controls], positive; rounded to the nearest storable step. There are
    1 to 64 controls, one for each.
    width, height: the source's, in pixels. resolution: a side of the generator's picture.
    time_base: seconds per unit of pts. frame_rate: frames per second on average, None if unknown.
    precision: 'quantised', 'f16' or 'f32' (both exact). quality: 0 to 100, for information.
    placement_steps: float32 [4]: pixels, pixels, pixels, radians.
    metadata: short texts about the source; not needed to decode.
    stream_id: 8 random bytes that tell this stream from all others, which make it one of version 2;
    none in version 1. key_frames: in version 2, the most frames from a key to the next, for
    information; None where that is not said.
    """

    generator_name: str
    generator_sha256: bytes
    rig_sha256: bytes
    num_ws: int
    w_dim: int
    control_steps: NDArray[np.float32]
    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction | None
    resolution: int
    precision: str = "quantised"
    quality: int = DEFAULT_QUALITY
    creator: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    placement_steps: NDArray[np.float32] = field(default_factory=_default_placement_steps)
    stream_id: bytes = b""
    key_frames: int | None = None

    @property
    def version(self) -> int:
        """Return the version of the format: 2 where the stream has an id."""
        return limits.LIVE_VERSION if self.stream_id else limits.VERSION

    @property
    def num_controls(self) -> int:
        """Return the number of controls of a frame, 1 to 64."""
        return len(self.control_steps)

    def __post_init__(self) -> None:
        """Round the steps to storable ones. Raises UsageError for what the format cannot carry."""
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if len(self.placement_steps) != NUM_PLACEMENT:
            raise UsageError(f"a stream needs {NUM_PLACEMENT} placement steps")
        self.control_steps = steps_from_codes(step_codes(self.control_steps))
        self.placement_steps = steps_from_codes(step_codes(self.placement_steps))
        for name, value, (low, high) in (
            ("quality", self.quality, QUALITY_RANGE),
            ("number of controls", self.num_controls, NUM_CONTROLS_RANGE),
            ("number of W+ rows", self.num_ws, NUM_WS_RANGE),
            ("width of W+", self.w_dim, W_DIM_RANGE),
            ("resolution", self.resolution, RESOLUTION_RANGE),
            ("width", self.width, SIDE_RANGE),
            ("height", self.height, SIDE_RANGE),
            ("length of the generator's SHA-256", len(self.generator_sha256), (32, 32)),
            ("length of the rig's SHA-256", len(self.rig_sha256), (32, 32)),
            ("number of metadata", len(self.metadata), (0, limits.MAX_METADATA)),
        ):
            if not low <= value <= high:
                raise UsageError(
                    f"a stream cannot carry this header: {name} is {value}, "
                    f"allowed is {low} to {high}"
                )
        if self.stream_id and not (
            len(self.stream_id) == limits.STREAM_ID_BYTES and any(self.stream_id)
        ):
            raise UsageError(f"a stream id has {limits.STREAM_ID_BYTES} bytes, not all zeros")
        if self.key_frames is not None and not 1 <= self.key_frames <= limits.MAX_GROUP_FRAMES:
            raise UsageError(f"key_frames is not in 1 to {limits.MAX_GROUP_FRAMES}")
        for name, fraction in (("time base", self.time_base), ("frame rate", self.frame_rate)):
            if fraction is not None and not storable_fraction(fraction):
                raise UsageError(
                    f"a stream cannot carry this header: {name} {fraction} is not a positive "
                    "fraction of two numbers below 2^32"
                )

    def pack(self) -> bytes:
        """Return the payload of the header chunk."""
        placement = step_codes(self.placement_steps)
        explicit = placement != step_codes(DEFAULT_PLACEMENT_STEPS)
        form = PRECISIONS.index(self.precision) | (_EXPLICIT_PLACEMENT if explicit else 0)
        out = FieldWriter().integer(self.version | form << _VERSION_BITS, 1)
        out.integer(self.quality, 1)
        shape = (self.num_controls, self.num_ws, self.w_dim, self.resolution)
        code = next((code for code, known in KNOWN_SHAPES.items() if known == shape), 0)
        out.integer(code, 1)
        for value in shape if not code else ():
            out.varint(value)
        out.varint(self.width).varint(self.height)
        out.fraction(self.time_base).fraction(self.frame_rate)
        out.raw(self.generator_sha256).raw(self.rig_sha256)
        if explicit:
            out.raw(placement)
        out.string(self.generator_name).string(self.creator).varint(len(self.metadata))
        for key in sorted(self.metadata):
            out.string(key).string(self.metadata[key])
        codes = _pack_codes(step_codes(self.control_steps))
        if self.stream_id:
            out.raw(self.stream_id).varint(len(codes) - _CODES_HEAD)
        out.raw(codes)
        if self.stream_id and self.key_frames is not None:
            said = FieldWriter().varint(self.key_frames).data
            out.varint(_KEY_FRAMES_TAG).varint(len(said)).raw(bytes(said))
        return bytes(out.data)


def parse_header(payload: bytes) -> StreamHeader:
    """Read the header chunk's payload.

    Raises StreamError for another version and for anything outside the promised limits.
    """
    fields = FieldReader(payload, "stream header")
    form, version = divmod(fields.integer(1), 1 << _VERSION_BITS)
    if version not in limits.VERSIONS:
        raise StreamError(f"format version {version}: this program reads versions 1 and 2")
    if form > _EXPLICIT_PLACEMENT | _PRECISION_MASK:
        raise fields.fail(f"a form of {form} that this program does not know")
    precision = form & _PRECISION_MASK
    if precision >= len(PRECISIONS):
        raise fields.fail(f"precision is {precision}, allowed is 0 to {len(PRECISIONS) - 1}")
    quality = fields.integer(1, *QUALITY_RANGE, "quality")
    num_controls, num_ws, w_dim, resolution = _parse_shape(fields)
    width = fields.varint(*SIDE_RANGE, "width")
    height = fields.varint(*SIDE_RANGE, "height")
    time_base = fields.fraction("time base")
    if time_base is None:
        raise fields.fail("the time base is missing")
    frame_rate = fields.fraction("frame rate")
    generator_sha256, rig_sha256 = fields.raw(32), fields.raw(32)
    placement_steps = _default_placement_steps()
    if form & _EXPLICIT_PLACEMENT:
        placement_steps = steps_from_codes(fields.raw(NUM_PLACEMENT))
    generator_name, creator = fields.string(), fields.string()
    metadata = {}
    for _ in range(fields.varint(0, limits.MAX_METADATA, "number of metadata")):
        key = fields.string()
        metadata[key] = fields.string()
    stream_id, size, key_frames = b"", None, None
    if version == limits.LIVE_VERSION:
        stream_id = fields.raw(limits.STREAM_ID_BYTES)
        if stream_id == bytes(limits.STREAM_ID_BYTES):
            raise fields.fail("a stream id of zeros")
        size = fields.varint(0, limits.MAX_HEADER, "bytes of the steps")
    control_steps = steps_from_codes(_parse_codes(fields, num_controls, size))
    if version == limits.LIVE_VERSION:
        key_frames = _parse_tags(fields)
    return StreamHeader(
        generator_name=generator_name,
        generator_sha256=generator_sha256,
        rig_sha256=rig_sha256,
        num_ws=num_ws,
        w_dim=w_dim,
        control_steps=control_steps,
        width=width,
        height=height,
        time_base=time_base,
        frame_rate=frame_rate,
        resolution=resolution,
        precision=PRECISIONS[precision],
        quality=quality,
        creator=creator,
        metadata=metadata,
        placement_steps=placement_steps,
        stream_id=stream_id,
        key_frames=key_frames,
    )


def _parse_shape(fields: FieldReader) -> tuple[int, int, int, int]:
    """Take the number of controls, rows and width of W+ and side of the picture."""
    code = fields.integer(1, 0, max(KNOWN_SHAPES), "shape")
    if code:
        return KNOWN_SHAPES[code]
    return (
        fields.varint(*NUM_CONTROLS_RANGE, "number of controls"),
        fields.varint(*NUM_WS_RANGE, "number of W+ rows"),
        fields.varint(*W_DIM_RANGE, "width of W+"),
        fields.varint(*RESOLUTION_RANGE, "resolution"),
    )


def _pack_codes(codes: bytes) -> bytes:
    """Return the codes of the control steps: the first, and differences in their common unit."""
    differences = [after - before for before, after in zip(codes, codes[1:], strict=False)]
    unit = math.gcd(*differences) or 1
    coder = RangeEncoder([PROBABILITY_HALF] * SIGNED_SIZE)
    for difference in differences:
        code_signed(coder, 0, difference // unit)
    return bytes([unit, codes[0]]) + coder.finish()


def _parse_codes(fields: FieldReader, count: int, size: int | None) -> bytes:
    """Take the codes of the control steps: `size` bytes after their head, or the rest."""
    unit = fields.integer(1, 1, 255, "unit of the steps")
    codes = [fields.integer(1)]
    body = fields.rest() if size is None else fields.raw(size)
    coder = RangeDecoder(body, [PROBABILITY_HALF] * SIGNED_SIZE)
    for _ in range(count - 1):
        codes.append(codes[-1] + unit * code_signed(coder, 0, 0))
        if not 0 <= codes[-1] <= 255:
            raise fields.fail("a step out of range")
    if coder.position < len(body):
        raise fields.fail(f"{len(body) - coder.position} bytes after its last field")
    return bytes(codes)


def _parse_tags(fields: FieldReader) -> int | None:
    """Take the tagged fields, which are the rest of a header of version 2; return key_frames.

    Raises StreamError for tags that do not rise, and for an unknown one that is odd.
    """
    key_frames, before = None, 0
    while fields.position < len(fields.data):
        tag = fields.varint(before + 1, name="tag")
        value = fields.raw(fields.varint(0, limits.MAX_HEADER, "size of a tagged field"))
        if tag == _KEY_FRAMES_TAG:
            inner = FieldReader(value, "stream header: key interval")
            key_frames = inner.varint(1, limits.MAX_GROUP_FRAMES, "key interval")
            inner.end()
        elif tag % 2:
            raise fields.fail(f"a field {tag} that this program does not know")
        before = tag
    return key_frames
