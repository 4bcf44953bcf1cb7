"""When the person is sent: at once or in parts between frames, and again for latecomers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunk_parts import split_chunk
from facecodec.bitstream.container.chunks import Chunk
from facecodec.bitstream.limits import MAX_PARTS
from facecodec.live.settings import LiveSettings

_PART_HEAD_BYTES = 24  # of the chunk around a part, and of the fields before its bytes

_USUAL_PART_BYTES = 256


class Delivery:
    """Hands out the chunks of a person, as many bytes with each segment as the settings say.

    known: the types and payloads of the chunks, in the order in which they are of use.
    """

    def __init__(self, known: list[tuple[bytes, bytes]], settings: LiveSettings) -> None:
        self._known = known
        self._settings = settings
        self._waiting: deque[Chunk] = deque()
        self._allowed = 0  # bytes that may go now
        self._rested = 0  # frames since all was sent
        self._whole = False  # whether all was sent once
        self.restart()

    def restart(self) -> None:
        """Send all from the beginning."""
        self._waiting.clear()
        self._allowed = self._rested = 0
        budget = self._settings.person_bytes
        largest = self._settings.packet_bytes - _PART_HEAD_BYTES
        for kind, payload in self._known:
            if budget is None or len(payload) <= min(budget, largest):
                self._waiting.append(Chunk(0, kind, payload))
                continue
            # The larger the parts, the fewer bytes around them: several segments' share makes one.
            size = min(max(budget, _USUAL_PART_BYTES), largest)
            size = max(size, -(-len(payload) // MAX_PARTS))
            for part in split_chunk(kind, payload, size):
                self._waiting.append(Chunk(0, chunks.PART, part))

    def sound(self) -> Iterator[Chunk]:
        """Yield the parameters of the sound, where there is some."""
        for kind, payload in self._known:
            if kind == chunks.AUDIO_PARAMETERS:
                yield Chunk(0, kind, payload)

    def take(self, frames: int, shares: int = 1) -> Iterator[Chunk]:
        """Yield what goes with a segment of so many frames; shares: for how many segments."""
        budget, again = self._settings.person_bytes, self._settings.person_frames
        if not self._waiting:
            self._rested += frames
            if again is None or self._rested < again:
                return
            self.restart()
        self._allowed += shares * (budget or 0)
        while self._waiting and (budget is None or self._allowed > 0):
            chunk = self._waiting.popleft()
            self._allowed -= chunk.size
            self._whole |= not self._waiting
            yield chunk

    def rest(self) -> Iterator[Chunk]:
        """Yield what has never been sent, at the end of a stream."""
        if not self._whole:
            yield from self._waiting
            self._waiting.clear()
