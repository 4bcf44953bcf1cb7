"""Tuning chunks: opaque bytes cut into parts that fit a chunk (SPEC.md section 8)."""

from __future__ import annotations

from facecodec.bitstream import limits
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import UsageError

# Bytes of a tuning in one chunk; its number and the number of parts take up to four more.
_PART_BYTES = limits.MAX_CHUNK - 16


def split_tuning(data: bytes) -> list[bytes]:
    """Return the payloads of the tuning chunks that carry `data`; none for no bytes.

    Raises UsageError for more bytes than a stream may carry.
    """
    parts = -(-len(data) // _PART_BYTES)
    if parts > limits.MAX_TUNING_PARTS:
        raise UsageError(f"a tuning of {len(data)} bytes is too large for a stream")
    payloads = []
    for part in range(parts):
        head = FieldWriter().varint(part).varint(parts)
        payloads.append(bytes(head.raw(data[part * _PART_BYTES : (part + 1) * _PART_BYTES]).data))
    return payloads


class TuningParts:
    """Collects the payloads of tuning chunks, in any order."""

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._count = 0

    def add(self, payload: bytes) -> None:
        """Add the payload of one chunk.

        Raises StreamError where it does not belong to the parts before it.
        """
        fields = FieldReader(payload, "tuning")
        part = fields.varint(0, limits.MAX_TUNING_PARTS - 1, "part")
        parts = fields.varint(part + 1, limits.MAX_TUNING_PARTS, "number of parts")
        if self._count not in (0, parts):
            raise fields.fail(f"{parts} parts here, {self._count} before")
        if part in self._parts:
            raise fields.fail(f"part {part} comes twice")
        self._count = parts
        self._parts[part] = fields.rest()

    @property
    def empty(self) -> bool:
        """Whether no part has come."""
        return not self._count

    @property
    def incomplete(self) -> bool:
        """Whether some but not all parts are there."""
        return len(self._parts) < self._count

    def joined(self) -> bytes | None:
        """Return the tuning, or None when there is none or a part is missing."""
        if not self._count or self.incomplete:
            return None
        return b"".join(self._parts[part] for part in range(self._count))
