"""Where the bytes of a stream go: every byte of the file is counted once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import Chunk, Damage
from facecodec.bitstream.container.index import parse_index
from facecodec.bitstream.container.segments import SegmentDecoder
from facecodec.errors import StreamError

# What the payload of a chunk is counted as; all else, and the bytes around each payload, is
# container. A segment is split further.
_KINDS = {
    chunks.IDENTITY: "identity",
    chunks.IDENTITY_REFERENCE: "identity",
    chunks.TUNING: "tuning",
    chunks.AUDIO_PARAMETERS: "audio",
    chunks.AUDIO: "audio",
    chunks.CONTEXT_PLATE: "context",
    chunks.CONTEXT: "context",
}


@dataclass(frozen=True)
class RateSplit:
    """Bytes of a stream by purpose; together they are the size of the file.

    container_bytes: the header with its hashes and metadata, chunk headers and CRCs, timestamps,
    flags, the index, and bytes that damage made useless. frames: those of the stream, lost ones
    included.
    """

    identity_bytes: int
    controls_bytes: int
    placement_bytes: int
    audio_bytes: int
    tuning_bytes: int
    context_bytes: int
    container_bytes: int
    frames: int

    @property
    def total_bytes(self) -> int:
        """Return the size of the file."""
        return (
            self.identity_bytes
            + self.controls_bytes
            + self.placement_bytes
            + self.audio_bytes
            + self.tuning_bytes
            + self.context_bytes
            + self.container_bytes
        )


def split_rates(header: StreamHeader, all_chunks: Iterable[Chunk | Damage]) -> RateSplit:
    """Return the split of a stream, given all its chunks from the header on."""
    spent = dict.fromkeys(("identity", "controls", "placement", "audio", "tuning", "context"), 0)
    container = 0
    frames = 0
    decoder = SegmentDecoder(header)
    for chunk in all_chunks:
        container += chunk.size
        if isinstance(chunk, Damage):
            continue
        parts = {_KINDS[chunk.type]: len(chunk.payload)} if chunk.type in _KINDS else {}
        if chunk.type in (chunks.SEGMENT, chunks.CONTINUED):
            try:
                segment = decoder.decode(chunk)
            except StreamError:
                continue
            frames = max(frames, segment.first + len(segment))
            parts = {name: segment.parts[name] for name in ("placement", "controls")}
        elif chunk.type == chunks.END:
            with contextlib.suppress(StreamError):
                frames = max(frames, parse_index(header, chunk).frames)
        for name, size in parts.items():
            spent[name] += size
            container -= size
    return RateSplit(
        spent["identity"],
        spent["controls"],
        spent["placement"],
        spent["audio"],
        spent["tuning"],
        spent["context"],
        container,
        frames,
    )
