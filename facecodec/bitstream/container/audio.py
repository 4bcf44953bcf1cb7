"""Audio packets, carried untouched with the parameters of their codec (SPEC.md section 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from facecodec.bitstream import limits
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import UsageError

_MAX_DISTANCE = 3 * limits.MAX_PTS  # between two timestamps of which one has a duration


@dataclass(frozen=True)
class AudioParameters:
    """What a muxer or decoder needs to know about the packets.

    codec: libav's common name, e.g. 'aac' or 'opus'. sample_rate: Hz. extradata: the codec's own
    setup bytes. time_base: seconds per unit of the packets' timestamps.
    """

    codec: str
    sample_rate: int
    channels: int
    extradata: bytes
    time_base: Fraction

    def pack(self) -> bytes:
        """Return the payload of the audio parameters chunk."""
        out = FieldWriter().string(self.codec).varint(self.sample_rate).varint(self.channels)
        out.fraction(self.time_base).raw(self.extradata)
        payload = bytes(out.data)
        parse_audio_parameters(payload)
        return payload


def parse_audio_parameters(payload: bytes) -> AudioParameters:
    """Read the audio parameters chunk."""
    fields = FieldReader(payload, "audio parameters")
    codec = fields.string()
    sample_rate = fields.varint(1, 10_000_000, "sample rate")
    channels = fields.varint(1, 255, "number of channels")
    time_base = fields.fraction("audio time base")
    if time_base is None:
        raise fields.fail("the time base is missing")
    extradata = fields.rest()
    if len(extradata) > limits.MAX_EXTRADATA:
        raise fields.fail(f"{len(extradata)} bytes of extradata")
    return AudioParameters(codec, sample_rate, channels, extradata, time_base)


@dataclass(frozen=True)
class AudioPacket:
    """One coded audio packet; pts, dts and duration in units of the audio time base."""

    pts: int
    dts: int
    duration: int
    data: bytes


class PacketLike(Protocol):
    """Anything with the four fields of a packet, such as `video.AudioPacket`."""

    @property
    def pts(self) -> int:
        """Presentation time."""
        ...

    @property
    def dts(self) -> int:
        """Decoding time."""
        ...

    @property
    def duration(self) -> int:
        """Length in time."""
        ...

    @property
    def data(self) -> bytes:
        """The coded bytes."""
        ...


def check_packet(packet: PacketLike) -> None:
    """Raise UsageError for a packet that the format cannot carry."""
    if len(packet.data) > limits.MAX_AUDIO_PACKET:
        raise UsageError(f"an audio packet of {len(packet.data)} bytes is over the limit")
    if max(abs(packet.dts), abs(packet.pts)) > limits.MAX_PTS:
        raise UsageError(f"an audio packet at {packet.pts}, decoded at {packet.dts}: out of range")
    if not 0 <= packet.duration <= limits.MAX_PTS:
        raise UsageError(f"an audio packet that lasts {packet.duration}")


def pack_packets(first: int, packets: Sequence[PacketLike]) -> bytes:
    """Return the payload of an audio chunk: the fields of every packet, then all their bytes.

    first: the number of its first packet in the stream.
    """
    out = FieldWriter().varint(first).varint(len(packets))
    expected = 0
    for packet in packets:
        check_packet(packet)
        out.signed(packet.dts - expected).signed(packet.pts - packet.dts)
        out.varint(packet.duration).varint(len(packet.data))
        expected = packet.dts + packet.duration
    for packet in packets:
        out.raw(bytes(packet.data))
    return bytes(out.data)


def parse_packets(payload: bytes) -> tuple[int, list[AudioPacket]]:
    """Read an audio chunk; return the number of its first packet, and its packets."""
    fields = FieldReader(payload, "audio chunk")
    first = fields.varint(0, limits.MAX_PTS, "first packet")
    rows = []
    expected = 0
    # A packet's fields take at least four bytes.
    for _ in range(fields.varint(0, len(payload) // 4, "number of packets")):
        dts = expected + fields.signed(_MAX_DISTANCE, "audio timestamp")
        pts = dts + fields.signed(_MAX_DISTANCE, "audio timestamp")
        if max(abs(dts), abs(pts)) > limits.MAX_PTS:
            raise fields.fail("an audio timestamp out of range")
        duration = fields.varint(0, limits.MAX_PTS, "audio duration")
        size = fields.varint(0, limits.MAX_AUDIO_PACKET, "audio packet size")
        rows.append((pts, dts, duration, size))
        expected = dts + duration
    packets = [AudioPacket(p, d, n, fields.raw(size)) for p, d, n, size in rows]
    fields.end()
    return first, packets
