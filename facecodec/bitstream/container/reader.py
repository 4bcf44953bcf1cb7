"""Reads a `.fcv` stream from any file object; goes on after damage and says what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.audio import AudioPacket
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.body import BodyDecoder, Item, PacketParser, context_of
from facecodec.bitstream.container.chunks import Chunk
from facecodec.bitstream.container.frames import FrameRecord, within
from facecodec.bitstream.container.identity_file import IdentityFile
from facecodec.bitstream.container.index import (
    GroupScan,
    Index,
    IndexEntry,
    is_group_of,
    stored_index,
)
from facecodec.bitstream.container.rates import RateSplit, split_rates
from facecodec.bitstream.container.stream_chunks import StreamChunks
from facecodec.bitstream.context import ContextPictures
from facecodec.errors import UsageError


class StreamReader(StreamChunks):
    """Reads the header at once, frames and audio on iteration.

    A file that can seek may be iterated any number of times; a pipe once, and gives each frame as
    soon as its segment has come. `damage` fills while reading. Raises StreamError for a file that
    is not a stream, whose header is damaged, that breaks a promised limit, or that needs a
    critical chunk this reader does not know.

    file: opened for reading in binary, at the first byte of the stream. name: what error messages
    call it.
    """

    def __init__(self, file: BinaryIO, name: str = "") -> None:
        """Read up to the first chunk of the body."""
        super().__init__(file, name)
        self._index: Index | None = None
        if self.seekable and self._preamble.late:
            self._index = self.scanned_index()  # what comes late lies between the frames

    def identity(
        self, w_mean: NDArray[np.float32], identity_file: IdentityFile | None = None
    ) -> NDArray[np.float32]:
        """Return the identity latent, float32 [num_ws, w_dim].

        w_mean: float32 [w_dim], the generator's mean of W. identity_file: the `.fci` file, needed
        when the stream only references its identity. Raises StreamError where the identity is
        missing or breaks the format, and for a `.fci` file whose SHA-256 is not the one referenced.
        """
        return self._preamble.identity(self.header, w_mean, identity_file)

    def person_tuning(self, identity_file: IdentityFile | None = None) -> bytes | None:
        """Return the tuning: the stream's own, else that of the `.fci` file it refers to."""
        if self.tuning is None and self.identity_reference is not None and identity_file:
            return identity_file.tuning
        return self.tuning

    def offset_of(self, kind: bytes) -> int:
        """Return where the first chunk of a type begins in the preamble."""
        return self._preamble.offsets[kind]

    def close(self) -> None:
        """Close the file; a reader may also be opened with `with`."""
        self._file.close()

    def __enter__(self) -> StreamReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[FrameRecord]:
        return self.frames()

    def frames(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[FrameRecord]:
        """Yield the frames with start <= pts * time_base < end, in seconds."""
        for item in self.items(start, end, audio=False):
            if isinstance(item, FrameRecord):
                yield item

    def audio_packets(
        self, start: Fraction | None = None, end: Fraction | None = None
    ) -> Iterator[AudioPacket]:
        """Yield the audio packets with start <= pts * time_base < end, in seconds."""
        if self.audio is None:
            return
        parser = PacketParser(self._report)
        for chunk in self.walk():
            if isinstance(chunk, Chunk) and chunk.type == chunks.AUDIO:
                for packet in parser.parse(chunk):
                    if within(packet.pts * self.audio.time_base, start, end):
                        yield packet

    @overload
    def items(
        self, start: Fraction | None = None, end: Fraction | None = None, audio: bool = True
    ) -> Iterator[FrameRecord | AudioPacket]: ...
    @overload
    def items(
        self,
        start: Fraction | None = None,
        end: Fraction | None = None,
        audio: bool = True,
        context: bool = False,
    ) -> Iterator[Item]: ...
    def items(
        self,
        start: Fraction | None = None,
        end: Fraction | None = None,
        audio: bool = True,
        context: bool = False,
    ) -> Iterator[Item]:
        """Yield frames and, unless told otherwise, audio packets, in the order of the file.

        context: yield the context's pictures too, right before the first frame that shows them.
        This is the way to read all of them from a pipe. In a file that can seek, `start` is located
        through the index; audio packets are then those written near the frames asked for.
        Raises StreamError where frames are missing that no lost bytes explain.
        """
        base = self.header.time_base
        entry = self._entry(start) if start is not None and self.seekable else None
        # From the middle the number of the first packet is not known.
        parser = PacketParser(self._report, None if entry and entry.first else 0)
        decoder = BodyDecoder(
            self.header,
            self.name,
            self._report,
            parser if audio and (self.audio or self._preamble.late) else None,
            context,
            entry.first if entry else 0,
            0 if entry else self._lost_before,
        )
        first = None if entry and entry.first else self._preamble.context.get(chunks.CONTEXT)
        shown = next(context_of(first, self._report), None) if context and first else None
        for item in decoder.decode(self.walk(entry)):
            if isinstance(item, ContextPictures):
                shown = item
            elif isinstance(item, AudioPacket):
                if self.audio and within(item.pts * self.audio.time_base, start, end):
                    yield item
            elif end is not None and item.pts * base >= end:
                return
            elif start is None or item.pts * base >= start:
                if shown is not None:
                    yield shown
                    shown = None
                yield item

    def _entry(self, start: Fraction) -> IndexEntry | None:
        """Return the index entry to begin at for a time, None to begin with the whole body.

        Falls back on a scan where the stored index is not that of the file: bytes lost or put in
        after the stream was written move what the end chunk points at.
        """
        pts = -(-start // self.header.time_base)
        entry = self.index().find(pts)
        if entry is not None and not is_group_of(self.header, entry, self._chunks_from(entry)):
            self._index = self.scanned_index()
            entry = self._index.find(pts)
        return entry

    def index(self) -> Index:
        """Return the index of the segments: from the end chunk, or by a scan where it is missing.

        The stored index is taken at its word: see `verify`. Raises UsageError for a pipe.
        """
        if self._base is None:
            raise UsageError(f"{self.name}: a pipe has no index")
        if self._index is None:
            stored = stored_index(self._file, self._base, self.header, self._seed)
            self._index = stored or self.scanned_index()
        return self._index

    def scanned_index(self) -> Index:
        """Return the index as a scan of the whole file gives it. Needs a file that can seek."""
        groups = GroupScan(self.header, self._body_start())
        for chunk in self.walk():
            groups.add(chunk)
        return groups.index

    def rate_split(self) -> RateSplit:
        """Return where the bytes of the file go. Decodes every frame; UsageError for a pipe."""
        return split_rates(self.header, self.all_chunks())
