"""One rising time for a file whose timestamps start again or jump, picture and sound in step.

Two recordings in one file (a camera that was stopped, files that were joined byte by byte) each
count from their own beginning. All packets are listed once, without decoding; where a track's
timestamps fall back, a new part begins, which is moved behind the end of the part before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from av.container import InputContainer
from av.stream import Stream

from facecodec.video.source import AnyPacket, demuxed

PART_FALL_SECONDS = Fraction(
    1, 4
)  # seconds that a decoding time has to fall back by, to begin a part
PART_LEAP_SECONDS = 10  # forward that begin one where clocks may jump, as in ffmpeg
_CLOCK_MAY_JUMP_FLAG = 0x0200  # libav's flag of such formats: AVFMT_TS_DISCONT
_ASSUMED_PACKET_SECONDS = Fraction(1, 25)  # of a packet without a duration


@dataclass
class Part:
    """The first and last moment of one track in one part, in seconds of the file's clock."""

    begin: Fraction
    end: Fraction


@dataclass
class Timeline:
    """Where each part of a file lies: seconds to add to its timestamps; packets of each track."""

    offsets: list[Fraction] = field(default_factory=lambda: [Fraction(0)])
    packets: dict[int, int] = field(default_factory=dict)
    leaps: bool = False

    def clock(self, stream: Stream) -> Clock:
        """Return a clock for one pass over a track."""
        return Clock(self, Fraction(stream.time_base or 1), stream.type == "audio")


class Clock:
    """Moves the packets of one track, in their order in the file, onto the timeline."""

    def __init__(self, timeline: Timeline, time_base: Fraction, in_order: bool) -> None:
        """time_base: seconds per unit of the track; in_order: packets are shown as they come."""
        self._timeline, self.time_base, self._in_order = timeline, time_base, in_order
        self._next: Fraction | None = None  # when the next packet is due, by the file's clock
        self._last = Fraction(0)
        self.part = 0

    def see(self, packet: AnyPacket) -> None:
        """Take note of a packet; `part` is then the one that it belongs to."""
        stamp = packet.pts if packet.dts is None and self._in_order else packet.dts
        if stamp is None:
            return
        time = stamp * self.time_base
        if self._next is not None:
            leap = self._timeline.leaps and time > self._next + PART_LEAP_SECONDS
            if time < self._last - PART_FALL_SECONDS or leap:
                self.part += 1
        self._last, self._next = time, time + _length(packet, self.time_base)

    def shift(self, packet: AnyPacket) -> None:
        """Move a packet's timestamps onto the timeline."""
        self.see(packet)
        offsets = self._timeline.offsets
        units = round(offsets[min(self.part, len(offsets) - 1)] / self.time_base)
        if units and packet.pts is not None:
            packet.pts += units
        if units and packet.dts is not None:
            packet.dts += units


def timeline_of(container: InputContainer, streams: Sequence[Stream]) -> Timeline:
    """List the packets of the tracks that are read, and place the parts one behind the other."""
    leaps = bool(container.format.flags & _CLOCK_MAY_JUMP_FLAG)
    listings = [_Listing(streams, leaps), _Listing(streams, False)]
    for packet in demuxed(container, *streams):
        if packet.size:
            for listing in listings:
                listing.add(packet)
    leaping, falling = listings
    counts = {len(parts) for parts in leaping.parts.values() if parts}
    # where one track leaps and another does not, its pause is meant
    chosen = leaping if len(counts) <= 1 else falling
    chosen.timeline.offsets = _placed(list(chosen.parts.values()))
    return chosen.timeline


class _Listing:
    """The parts of each track, by its number in the file."""

    def __init__(self, streams: Iterable[Stream], leaps: bool) -> None:
        self.timeline = Timeline(leaps=leaps)
        self._clocks = {s.index: self.timeline.clock(s) for s in streams}
        self.parts: dict[int, list[Part]] = {s.index: [] for s in streams}

    def add(self, packet: AnyPacket) -> None:
        index = packet.stream_index
        self.timeline.packets[index] = self.timeline.packets.get(index, 0) + 1
        clock, parts = self._clocks[index], self.parts[index]
        clock.see(packet)
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            return
        begin = stamp * clock.time_base
        end = begin + _length(packet, clock.time_base)
        if clock.part >= len(parts):
            parts.append(Part(begin, end))
        else:
            parts[-1].begin = min(begin, parts[-1].begin)
            parts[-1].end = max(end, parts[-1].end)


def _placed(tracks: Sequence[list[Part]]) -> list[Fraction]:
    """Return the seconds to add to each part, so that it begins where all before it have ended."""
    offsets = [Fraction(0)]
    for i in range(1, max(map(len, tracks), default=0)):
        present = [parts for parts in tracks if i < len(parts)]
        offsets.append(max(parts[i - 1].end + offsets[-1] - parts[i].begin for parts in present))
    return offsets


def _length(packet: AnyPacket, base: Fraction) -> Fraction:
    return packet.duration * base if packet.duration else _ASSUMED_PACKET_SECONDS
