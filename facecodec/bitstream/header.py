"""The header chunk: which generator and rig, which quantiser, which frames (SPEC.md section 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.bitstream.steps import DEFAULT_QUALITY, step_codes, steps_from_codes
from facecodec.errors import StreamError, UsageError

PRECISIONS = ("quantised", "f16", "f32")
# Centre x, y and size of the aligned square in pixels, angle in radians.
DEFAULT_PLACEMENT_STEPS = np.array([0.25, 0.25, 0.25, 1 / 512], np.float32)


def _default_placement_steps() -> NDArray[np.float32]:
    return DEFAULT_PLACEMENT_STEPS.copy()


@dataclass
class StreamHeader:
    """What a decoder must know before the first frame.

    generator_sha256, rig_sha256: 32 raw bytes each; decoding with others is refused.
    control_steps: float32 [num_controls], positive; rounded to the nearest storable step.
    width, height: the source's, in pixels. resolution: a side of the generator's picture.
    time_base: seconds per unit of pts. frame_rate: frames per second on average, None if unknown.
    precision: 'quantised', 'f16' or 'f32' (both exact). quality: 0 to 100, for information.
    placement_steps: float32 [4]: pixels, pixels, pixels, radians.
    metadata: short texts about the source; not needed to decode.
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
    num_controls: int = 35

    def __post_init__(self) -> None:
        """Round the steps to storable ones and refuse what the format cannot say."""
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        if len(self.control_steps) != self.num_controls or len(self.placement_steps) != 4:
            raise UsageError(f"need {self.num_controls} control steps and 4 placement steps")
        self.control_steps = steps_from_codes(step_codes(self.control_steps))
        self.placement_steps = steps_from_codes(step_codes(self.placement_steps))
        try:
            packed = self.pack()
            parse_header(packed)
        except (StreamError, ValueError, OverflowError) as error:
            raise UsageError(f"a stream cannot carry this header: {error}") from None

    def pack(self) -> bytes:
        """Return the payload of the header chunk."""
        out = FieldWriter().integer(limits.VERSION, 1)
        out.integer(PRECISIONS.index(self.precision), 1).integer(self.quality, 1)
        out.integer(self.num_controls, 1).integer(self.num_ws, 1).integer(self.w_dim, 2)
        out.integer(self.resolution, 2).integer(self.width, 2).integer(self.height, 2)
        out.fraction(self.time_base).fraction(self.frame_rate)
        out.raw(self.generator_sha256).raw(self.rig_sha256)
        out.raw(step_codes(self.control_steps)).raw(step_codes(self.placement_steps))
        out.string(self.generator_name).string(self.creator)
        return bytes(out.data)


def parse_header(payload: bytes) -> StreamHeader:
    """Read the header chunk's payload; StreamError for anything outside the promised limits."""
    fields = FieldReader(payload, "stream header")
    version = fields.integer(1)
    if version != limits.VERSION:
        raise StreamError(f"format version {version}: this program reads {limits.VERSION} only")
    precision = PRECISIONS[fields.integer(1, 0, len(PRECISIONS) - 1, "precision")]
    quality = fields.integer(1, 0, 100, "quality")
    num_controls = fields.integer(1, 1, limits.MAX_CONTROLS, "number of controls")
    num_ws = fields.integer(1, 1, limits.MAX_NUM_WS, "number of W+ rows")
    w_dim = fields.integer(2, 1, limits.MAX_W_DIM, "width of W+")
    resolution = fields.integer(2, 4, limits.MAX_RESOLUTION, "resolution")
    width = fields.integer(2, 1, limits.MAX_SIDE, "width")
    height = fields.integer(2, 1, limits.MAX_SIDE, "height")
    time_base = fields.fraction("time base")
    if time_base is None:
        raise fields.fail("the time base is missing")
    frame_rate = fields.fraction("frame rate")
    generator_sha256, rig_sha256 = fields.raw(32), fields.raw(32)
    control_steps = steps_from_codes(fields.raw(num_controls))
    placement_steps = steps_from_codes(fields.raw(4))
    generator_name, creator = fields.string(), fields.string()
    fields.end()
    header = StreamHeader.__new__(StreamHeader)  # already checked: skip __post_init__
    header.__dict__.update(
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
        precision=precision,
        quality=quality,
        creator=creator,
        metadata={},
        placement_steps=placement_steps,
        num_controls=num_controls,
    )
    return header


def pack_metadata(metadata: dict[str, str]) -> bytes:
    """Return the payload of the metadata chunk: pairs of texts, keys sorted, 255 bytes each."""
    out = FieldWriter()
    for key in sorted(metadata):
        out.string(key).string(metadata[key])
    return bytes(out.data)


def parse_metadata(payload: bytes) -> dict[str, str]:
    """Read the metadata chunk."""
    fields = FieldReader(payload, "metadata")
    found = {}
    while fields.position < len(payload):
        key = fields.string()
        found[key] = fields.string()
    return found
