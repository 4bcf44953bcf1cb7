"""What a reader may make of a damaged stream, held against what the whole one says."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import toy_streams

from facecodec.bitstream import AudioPacket, StreamReader
from facecodec.errors import StreamError

Chunks = list[tuple[bytes, bytes]]


def split(data: bytes) -> Chunks:
    """Return (type, payload) of the chunks of a whole stream."""
    found, at = [], 8
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 4)
        found.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def join(chunks: Chunks, magic: bytes = b"\x89FCV\r\n\x1a\n") -> bytes:
    """Return a stream of chunks with right CRCs, whatever is in them."""
    out, seed = magic, 0
    for i, (kind, payload) in enumerate(chunks):
        body = kind + struct.pack("<I", len(payload)) + payload
        crc = zlib.crc32(body, seed)
        out += body + struct.pack("<I", crc)
        if i == 0:
            seed = crc
    return out


@dataclass
class Content:
    """Everything a stream says."""

    header: bytes
    metadata: dict[str, str]
    frames: dict[int, tuple]
    recovered: int
    audio: list[AudioPacket]
    identity: bytes | None
    tuning: bytes | None
    damage: list[Any]


def read_all(data: bytes, pipe: bool = False) -> Content:
    """Read a stream to the end. StreamError where it is refused."""
    file = toy_streams.Pipe(data) if pipe else io.BytesIO(data)
    stream = StreamReader(file, "damaged.fcv")
    frames, audio, recovered = {}, [], 0
    for item in stream.items():
        if isinstance(item, AudioPacket):
            audio.append(item)
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
        stream.header.metadata,
        frames,
        recovered,
        audio,
        identity,
        stream.tuning,
        list(stream.damage),
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
    assert got.metadata in ({}, whole.metadata)
    if not got.damage:
        assert got == whole, "something is missing in silence"
    return got
