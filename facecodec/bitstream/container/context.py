"""The chunks of the context: its plate, and the pictures of a segment (SPEC.md section 17)."""

from __future__ import annotations

from facecodec.bitstream import limits
from facecodec.bitstream.context import ContextPictures, ContextPlate
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import UsageError


def pack_plate(plate: ContextPlate) -> bytes:
    """Return the payload of the plate's chunk. Raises UsageError for sizes out of range."""
    sides = (plate.width, plate.height)
    pixels = plate.width * plate.height
    if min(sides) < 1 or max(sides) > limits.MAX_SIDE or pixels > limits.MAX_CONTEXT_PIXELS:
        raise UsageError(f"a context of {plate.width}x{plate.height} pixels is out of range")
    out = FieldWriter().string(plate.codec).varint(plate.width).varint(plate.height)
    return bytes(out.raw(plate.data).data)


def parse_plate(payload: bytes) -> ContextPlate:
    """Read the chunk of the plate. Raises StreamError where it breaks the format."""
    fields = FieldReader(payload, "context plate")
    codec = fields.string()
    width = fields.varint(1, limits.MAX_SIDE, "width")
    height = fields.varint(1, limits.MAX_SIDE, "height")
    if width * height > limits.MAX_CONTEXT_PIXELS:
        raise fields.fail(f"{width}x{height} pixels are too many")
    return ContextPlate(codec, width, height, fields.rest())


def pack_pictures(pictures: ContextPictures) -> bytes:
    """Return the payload of a chunk of pictures.

    Raises UsageError for none, for too many, and for times that do not rise or are out of range.
    """
    count = len(pictures.pts)
    if count != len(pictures.packets) or not 1 <= count <= limits.MAX_SEGMENT_FRAMES:
        raise UsageError(f"{count} pictures of the context in one chunk: allowed are 1 to 240")
    steps = [b - a for a, b in zip(pictures.pts, pictures.pts[1:], strict=False)]
    if max(map(abs, pictures.pts)) > limits.MAX_PTS or min(steps, default=1) < 1:
        raise UsageError("times of the context's pictures that do not rise, or are out of range")
    out = FieldWriter().signed(pictures.pts[0]).varint(count)
    for step in steps:
        out.varint(step)
    for packet in pictures.packets:
        out.varint(len(packet))
    return bytes(out.raw(b"".join(pictures.packets)).data)


def parse_pictures(payload: bytes) -> ContextPictures:
    """Read a chunk of pictures. Raises StreamError where it breaks the format."""
    fields = FieldReader(payload, "context")
    pts = [fields.signed(limits.MAX_PTS, "time of its first picture")]
    count = fields.varint(1, limits.MAX_SEGMENT_FRAMES, "number of pictures")
    for _ in range(count - 1):
        pts.append(pts[-1] + fields.varint(1, 2 * limits.MAX_PTS, "step"))
    if pts[-1] > limits.MAX_PTS:
        raise fields.fail("a time out of range")
    sizes = [fields.varint(0, limits.MAX_CONTEXT, "size of a picture") for _ in range(count)]
    packets = tuple(fields.raw(size) for size in sizes)
    fields.end()
    return ContextPictures(tuple(pts), packets)
