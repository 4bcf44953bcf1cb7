"""What a reader may make of a damaged stream, held against what the whole one says."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from facecodec.bitstream import AudioPacket, ContextPictures, StreamReader
from facecodec.bitstream.coding.segment import segment_start
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import StreamError
from tests.helpers import toy_streams

Chunks = list[tuple[bytes, bytes]]


MAGIC = b"\x89FCV"


def places(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return (offset, type, payload) of the chunks of a whole stream, its header's first."""
    chunks, at = [], 0
    while at < len(data):
        fields = FieldReader(data[at:], "chunk")
        kind = fields.raw(2 if at else 4)
        payload = fields.raw(fields.varint())
        chunks.append((at, kind, payload))
        at += fields.position + 4
    return chunks


def split(data: bytes) -> Chunks:
    """Return (type, payload) of the chunks of a whole stream."""
    return [(kind, payload) for _, kind, payload in places(data)]


def start(data: bytes, kind: bytes, last: bool = False) -> int:
    """Return where the first (or last) chunk of a type begins."""
    offsets = [at for at, name, _ in places(data) if name == kind]
    return offsets[-1 if last else 0]


def segments(data: bytes) -> list[tuple[range, range]]:
    """Return (bytes, frames) of every segment of a whole stream."""
    header = StreamReader(io.BytesIO(data)).header
    chunks = places(data)
    ends = [at for at, _, _ in chunks[1:]] + [len(data)]
    segments = []
    for (at, kind, payload), end in zip(chunks, ends, strict=True):
        if kind == b"SE":
            first, frames, _ = segment_start(header, payload)
            segments.append((range(at, end), range(first, first + frames)))
    return segments


def join(chunks: Chunks) -> bytes:
    """Return a stream of chunks with right CRCs, whatever is in them."""
    out, seed = b"", 0
    for i, (kind, payload) in enumerate(chunks):
        body = kind + FieldWriter().varint(len(payload)).data + payload
        crc = zlib.crc32(body, seed)
        out += body + crc.to_bytes(4, "little")
        if i == 0:
            seed = crc
    return out


@dataclass
class Content:
    """Everything a stream says."""

    header: bytes
    frames: dict[int, tuple[Any, ...]]
    recovered: int
    audio: list[AudioPacket]
    identity: bytes | None
    tuning: bytes | None
    damage: list[Any]
    context: list[Any]


def read_all(data: bytes, pipe: bool = False) -> Content:
    """Read a stream to the end. StreamError where it is refused."""
    file: Any = toy_streams.Pipe(data) if pipe else io.BytesIO(data)
    stream = StreamReader(file, "damaged.fcv")
    frames, audio, recovered = {}, [], 0
    context: list[Any] = [stream.context_plate]
    for item in stream.items(context=True):
        if isinstance(item, AudioPacket):
            audio.append(item)
        elif isinstance(item, ContextPictures):
            context.append(item)
        elif item.recovered:
            recovered += 1
        else:
            place = None if item.placement is None else item.placement.tobytes()
            frames[item.index] = (item.pts, int(item.flags), item.controls.tobytes(), place)
    identity = None
    if stream.identity_payload is not None:
        identity = stream.identity(np.zeros(stream.header.w_dim, np.float32)).tobytes()
    return Content(
        stream.header.pack(),
        frames,
        recovered,
        audio,
        identity,
        stream.tuning,
        list(stream.damage),
        [part for part in context if part is not None],
    )


def check(data: bytes, whole: Content, pipe: bool = False) -> Content | None:
    """Hold a damaged stream to its promise: refused (None), or nothing silently different."""
    try:
        got = read_all(data, pipe)
    except StreamError:
        return None
    assert got.header == whole.header
    for index, frame in got.frames.items():
        assert whole.frames[index] == frame, f"frame {index} differs in silence"
    remaining = iter(whole.audio)
    assert all(packet in remaining for packet in got.audio), "audio differs in silence"
    assert got.identity in (None, whole.identity)
    assert got.tuning in (None, whole.tuning)
    pictures = iter(whole.context)
    assert all(part in pictures for part in got.context), "context differs in silence"
    if not got.damage:
        assert got == whole, "something is missing in silence"
    return got
