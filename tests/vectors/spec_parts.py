"""The generated parts of SPEC.md: tables, worked examples byte by byte, traces, reports."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from facecodec.bitstream import (
    StreamReader,
    vocabulary,
)
from facecodec.bitstream.coding import initial_probabilities as trained
from facecodec.bitstream.coding import segment, timing, tracks
from facecodec.bitstream.coding.range_coder import RangeDecoder
from facecodec.bitstream.container.chunk_reader import ChunkReader
from facecodec.bitstream.container.chunks import STREAM_MAGIC
from facecodec.bitstream.fields import FieldReader
from tests.helpers.damage import split
from tests.vectors.golden_streams import damaged, example, report, second_example

SPEC = Path(__file__).resolve().parent.parent.parent / "SPEC.md"


def _fields(kind: bytes, payload: bytes) -> list[tuple[int, str]]:
    """Return (bytes, meaning) of the fields of a payload of the example."""
    if kind == STREAM_MAGIC:
        return [
            (1, "version 1, quantised, usual placement steps"), (1, "quality 60"),
            (1, "shape: as follows"), (1, "2 controls"), (1, "1 row of W+"), (1, "of 2 numbers"),
            (1, "resolution 32"), (1, "width 64"), (1, "height 48"), (2, "time base 1/25"),
            (2, "frame rate 25/1"), (32, "generator"), (32, "rig"), (4, "'toy'"), (5, "'spec'"),
            (1, "1 pair of metadata"), (1, "'preset'"), (1, "'fast'"),
            (1, "unit of the control steps"), (1, "the first: 16 x 2^-6 = 0.25"),
            (len(payload) - 91, "the second: one unit further, coded"),
        ]  # fmt: skip
    if kind == b"ID":
        return [(1, "quantised"), (1, "step 31 x 2^-9 = 0.0605"), (len(payload) - 2, "body")]
    if kind == b"SE":
        return [
            (1, "first frame 0"), (2, "2 frames: 125 - 123"), (1, "pts, + 0"),
            (len(payload) - 4, "body"),
        ]  # fmt: skip
    return [
        (1, "size of the group: 14, and more to say"), (2, "2 frames: 125 - 123"), (1, "pts, + 0"),
        (1, "size of this chunk"),
    ]  # fmt: skip


def listing(data: bytes, meaning: Callable[[bytes, bytes], list[tuple[int, str]]] = _fields) -> str:
    """Return an example byte by byte; meaning: gives the fields of a payload."""
    rows = []
    reader = ChunkReader(io.BytesIO(data))
    for chunk in [reader.header(STREAM_MAGIC, "example"), *reader]:
        at, size = chunk.offset, len(chunk.payload)
        parts = [(len(chunk.type), "magic" if at == 0 else f"'{chunk.name}'")]
        parts += [(1, f"length {size}"), *meaning(chunk.type, chunk.payload), (4, "CRC")]
        for count, words in parts:
            rows.append((at, data[at : at + count], words))
            at += count
        assert at == chunk.offset + chunk.size, chunk.type
    lines = []
    for at, part, words in rows:
        for first in range(0, len(part), 16):
            text = part[first : first + 16].hex(" ")
            lines.append(f"{at + first:04x}  {text:47}  {words if first == 0 else ''}".rstrip())
    return "\n".join(lines)


def _notes(kind: bytes, payload: bytes) -> list[tuple[int, str]]:
    """Return (bytes, meaning) of the fields of a payload of the second example."""
    fields = FieldReader(payload, "example")
    rows: list[tuple[int, str]] = []

    def note(meaning: str) -> None:
        rows.append((fields.position - sum(size for size, _ in rows), meaning))

    if kind == STREAM_MAGIC:
        for size, meaning in (
            (1, "version 1, quantised, placement steps given"), (1, "quality 60"),
            (5, "shape: 2 controls, 1 row of 2 numbers, resolution 32"), (2, "width 64, height 48"),
            (3, "time base 1/1000"), (2, "frame rate 25/1"), (32, "generator"), (32, "rig"),
            (4, "placement steps 0.5, 0.5, 0.5 pixels and 1/256"), (4, "'toy'"), (5, "'spec'"),
            (1, "no metadata"), (2, "unit of the control steps, the first"),
        ):  # fmt: skip
            fields.raw(size)
            note(meaning)
    elif kind == b"ID":
        fields.raw(2)
        note("quantised, step 0.0605")
    elif kind == b"AP":
        note(f"'{fields.string()}'")
        note(f"{fields.varint()} Hz")
        note(f"{fields.varint()} channel")
        note(f"time base {fields.fraction('time base')}")
        return rows
    elif kind == b"AU":
        note(f"first packet {fields.varint()}")
        count = fields.varint()
        note(f"{count} packets")
        for _ in range(count):
            dts, pts = fields.signed(1 << 50), fields.signed(1 << 50)
            lasts, size = fields.varint(), fields.varint()
            note(f"dts {dts:+}, pts {pts:+}, lasts {lasts}, {size} bytes")
        fields.rest()
        note("the packets")
        return rows
    elif kind == b"SE":
        note(f"first frame {fields.varint()}")
        note(f"{125 + fields.signed(240)} frames: 125 - 123")
        note(f"pts, {fields.signed(1 << 50):+}")
    elif kind == b"EN":
        while len(payload) - fields.position > 1:
            size = fields.varint()
            note(f"size of the group: {size >> 1}" + (", and more to say" if size & 1 else ""))
            if size & 1:
                note(f"{125 + fields.signed(240)} frames: 125 - 123")
                note(f"pts, {fields.signed(1 << 50):+}")
        fields.raw(1)
        note("size of this chunk")
        return rows
    fields.rest()
    note("body" if kind != STREAM_MAGIC else "the second step: one unit further, coded")
    return rows


def context_name(number: int) -> str:
    """Return the name of a context as section 6 writes it."""
    for base, where in ((segment.CONTROLS, ""), (segment.PLACEMENT, "placement ")):
        if number >= base:
            for name in ("SIZE_B", "SIZE_A", "DOWN", "MOVED_B", "MOVED_A", "FIRST"):
                first = base + getattr(tracks, name)
                if number >= first:
                    return f"{where}{name}+{number - first}"
    names = ((timing.PLACED, "P"), (timing.FLAGS, "F"), (timing.TIMING + 2, "T2"))
    for first, name in names:
        if number >= first:
            return f"{name}+{number - first}"
    return f"T{number}"


class Tracer(RangeDecoder):
    """A decoder that notes every decision."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, segment.INITIAL)
        self.rows: list[str] = []

    def _note(self, name: str, p: int, before: tuple[int, int], bit: int) -> int:
        self.rows.append(f"{before[0]:08x}  {before[1]:08x}  {p:5}  {bit}  {name}")
        return bit

    def bit(self, context: int, bit: int = 0) -> int:
        p = (self.fast[context] + self.slow[context]) >> 1
        before = self.range, self.code
        return self._note(context_name(context), p, before, super().bit(context))

    def pair(self, first: int, second: int, bit: int = 0) -> int:
        total = sum(self.fast[c] + self.slow[c] for c in (first, second))
        before = self.range, self.code
        name = f"{context_name(first)}, {context_name(second)}"
        return self._note(name, total >> 2, before, super().pair(first, second))

    def even(self, bit: int = 0) -> int:
        before = self.range, self.code
        return self._note("even", 32768, before, super().even())


def trace(data: bytes) -> str:
    """Return the decisions of an example's last segment."""
    payload = [payload for kind, payload in split(data) if kind == b"SE"][-1]
    fields = FieldReader(payload, "segment")
    fields.raw(4)
    made: list[Tracer] = []

    def tracer(body: bytes, _: Any) -> Tracer:
        made.append(Tracer(body))
        return made[0]

    whole = segment.RangeDecoder
    segment.RangeDecoder = tracer  # type: ignore[assignment,misc]
    try:
        header = StreamReader(io.BytesIO(data), "example").header
        segment.parse_segment(header, payload)
    finally:
        segment.RangeDecoder = whole  # type: ignore[misc]
    return "\n".join(["range     code          p  bit  context", *made[0].rows])


def reports() -> str:
    """Return what is to be said of the damaged examples, a line each."""
    lines = []
    for name, data in damaged().items():
        lines.append(f"{name}, {len(data)} bytes")
        result = report(data)
        for offset, size, reason in result["damage"]:
            lines.append(f"  reported: byte {offset:3}, {size:2} bytes: {reason}")
        for index, pts, flags, controls, place in result["frames"]:
            if controls is None:
                lines.append(f"  frame {index}: pts {pts:3}, recovered")
                continue
            values = " ".join(f"{x:g}" for x in struct.unpack("<2f", bytes.fromhex(controls)))
            where = "none"
            if place is not None:
                where = " ".join(f"{x:g}" for x in struct.unpack("<4f", bytes.fromhex(place)))
            row = f"controls {values}, flags {flags}, placement {where}"
            lines.append(f"  frame {index}: pts {pts:3}, {row}")
        lines.append(f"  audio: {len(result['audio'])} packets")
    return "\n".join(lines)


def parts_of_spec() -> dict[str, str]:
    """Return the generated parts of SPEC.md by the name of their marker."""

    def table(codes: str) -> str:
        return "\n".join(codes[i : i + 80] for i in range(0, len(codes), 80))

    return {
        "table words": "\n".join(vocabulary.WHOLE),
        "table segment": table(trained.SEGMENT),
        "table identity": table(trained.IDENTITY),
        "example": listing(example()),
        "trace": trace(example()),
        "second example": listing(second_example(), _notes),
        "second trace": trace(second_example()),
        "reports": reports(),
    }


def generated(name: str) -> str:
    """Return a generated part of SPEC.md as it stands there."""
    match = block(name).search(SPEC.read_text())
    assert match is not None, f"SPEC.md has no part {name!r}"
    return match[2]


def tables() -> dict[str, Any]:
    """Return the tables as a reader of SPEC.md finds them."""
    parts = {name: bytes.fromhex(generated(f"table {name}")) for name in ("segment", "identity")}
    return parts | {"words": generated("table words").splitlines()}


def block(name: str) -> re.Pattern[str]:
    """Return what finds a generated part of SPEC.md; its text is group 2."""
    return re.compile(rf"(<!-- {name} -->\n)(?:\n```text\n(.*?)\n```\n)?", re.DOTALL)
