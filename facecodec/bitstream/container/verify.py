"""Walk everything a stream holds, and list what is wrong with it."""

from __future__ import annotations

import numpy as np

from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import Chunk, Damage
from facecodec.bitstream.container.frames import FrameRecord
from facecodec.bitstream.container.index import parse_index
from facecodec.bitstream.container.reader import StreamReader
from facecodec.errors import StreamError


def verify(stream: StreamReader) -> tuple[int, list[Damage]]:
    """Return the number of frames decoded and the damage, sorted by place; none if it is whole.

    Decodes every frame and audio packet, the identity where it is in the stream, and compares the
    index with the segments. Needs a file that can seek. Raises StreamError for what a decoder
    must refuse.
    """
    frames = sum(
        1 for item in stream.items() if isinstance(item, FrameRecord) and not item.recovered
    )
    found = list(stream.damage) + _identity(stream)
    if not found:
        found = _index(stream)
    return frames, sorted(found, key=lambda damage: damage.offset)


def _index(stream: StreamReader) -> list[Damage]:
    """Compare the index with the segments of a stream that is whole otherwise."""
    scanned = stream.scanned_index()
    for chunk in stream.all_chunks():
        if isinstance(chunk, Chunk) and chunk.type == chunks.END:
            if parse_index(stream.header, chunk) == scanned:
                return []
            return [Damage(chunk.offset, chunk.size, "the index is not that of the file")]
    return []


def _identity(stream: StreamReader) -> list[Damage]:
    if stream.identity_payload is not None:
        try:
            stream.identity(np.zeros(stream.header.w_dim, np.float32))
        except StreamError as error:
            return [Damage(0, 0, str(error))]
    return []
