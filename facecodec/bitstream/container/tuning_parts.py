"""Tuning chunks: opaque bytes cut into parts that fit a chunk (SPEC.md section 8)."""

from __future__ import annotations

from facecodec.bitstream import limits
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import UsageError

_PART = limits.MAX_CHUNK - 16


def split_tuning(data: bytes) -> list[bytes]:
    """Return the payloads of the tuning chunks that carry `data`; none for no bytes."""
    parts = -(-len(data) // _PART)
    if parts > limits.MAX_TUNING_PARTS:
        raise UsageError(f"a tuning of {len(data)} bytes is too large for a stream")
    payloads = []
    for part in range(parts):
        head = FieldWriter().varint(part).varint(parts)
        payloads.append(bytes(head.raw(data[part * _PART : (part + 1) * _PART]).data))
    return payloads


class TuningParts:
    """Collects the payloads of tuning chunks, in any order."""

    def __init__(self) -> None:
        self._found: dict[int, bytes] = {}
        self._wanted = 0

    def add(self, payload: bytes) -> None:
        """Take one payload; StreamError when it breaks the format."""
        fields = FieldReader(payload, "tuning")
        part = fields.varint(0, limits.MAX_TUNING_PARTS - 1, "part")
        parts = fields.varint(part + 1, limits.MAX_TUNING_PARTS, "number of parts")
        if self._wanted not in (0, parts):
            raise fields.fail(f"{parts} parts here, {self._wanted} before")
        if part in self._found:
            raise fields.fail(f"part {part} comes twice")
        self._wanted = parts
        self._found[part] = fields.rest()

    @property
    def empty(self) -> bool:
        """Whether no part has come."""
        return not self._wanted

    @property
    def incomplete(self) -> bool:
        """Whether some but not all parts are there."""
        return len(self._found) < self._wanted

    def joined(self) -> bytes | None:
        """Return the tuning, or None when there is none or a part is missing."""
        if not self._wanted or self.incomplete:
            return None
        return b"".join(self._found[part] for part in range(self._wanted))
