"""Controls in, datagrams out."""

from __future__ import annotations

from collections.abc import Iterable

from facecodec.bitstream import AudioPacket
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import Chunk
from facecodec.bitstream.container.continued import ContinuedChunk, pack_last, pack_long
from facecodec.live.encoder import LiveEncoder
from facecodec.live.settings import LiveSettings


class PacketEncoder(LiveEncoder[list[bytes]]):
    """Controls in, datagrams out: each says by itself where it belongs.

    A packet holds a segment and copies of those before it (`LiveSettings.copies`), so that as many
    lost packets in a row are made good by the next. Keys, header and person come again and again.
    """

    _before = 0

    @staticmethod
    def _usual_settings() -> LiveSettings:
        return LiveSettings.for_packets()

    def _grouped(self, packets: list[AudioPacket]) -> Iterable[list[AudioPacket]]:
        return [[packet] for packet in packets]  # a lost datagram then costs one

    def _out(self, made: Iterable[Chunk]) -> list[bytes]:
        packets: list[bytes] = []
        head, others = b"", list[bytes]()
        for chunk in made:
            if chunk.type == chunks.STREAM_MAGIC:
                # with the parameters of the sound: who comes late opens both with the first frame
                head = self._head + b"".join(map(self._pack, self._delivery.sound()))
            elif isinstance(chunk, ContinuedChunk) or chunk.type == chunks.SEGMENT:
                packets += self._with_others(chunk, head, others)
                head, others = b"", []
            else:
                others.append(self._pack(chunk))
        return [*packets, *self._datagrams(others)]

    def _with_others(self, chunk: Chunk, head: bytes, others: list[bytes]) -> list[bytes]:
        """Return a datagram of a segment, with its header, copies and others that fit; the rest."""
        if isinstance(chunk, ContinuedChunk):
            last, copy = pack_last(chunk, self._before), pack_long(chunk)
            self._before = chunk.frames
        else:
            last = self._pack(chunk)
            copy = head + last  # who comes late needs both
            self._before = self._frames.taken
        room = self.settings.packet_bytes - len(head) - len(last)
        copies: list[bytes] = []
        for earlier in reversed(self._copies):
            if len(earlier) > room:
                break
            copies.insert(0, earlier)
            room -= len(earlier)
        self._copies.append(copy)
        riding, rest = b"", list[bytes]()
        for other in others:
            if len(other) <= room:
                riding += other
                room -= len(other)
            else:
                rest.append(other)
        return [head + riding + b"".join(copies) + last, *self._datagrams(rest)]

    def _datagrams(self, others: list[bytes]) -> list[bytes]:
        """Return whole chunks in as few datagrams as hold them."""
        packets: list[bytes] = []
        for other in others:
            if packets and len(packets[-1]) + len(other) <= self.settings.packet_bytes:
                packets[-1] += other
            else:
                packets.append(other)
        return packets
