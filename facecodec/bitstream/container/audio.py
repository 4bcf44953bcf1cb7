"""The chunks of audio: parameters of the codec, and packets (SPEC.md section 9)."""

from __future__ import annotations

from collections.abc import Sequence

from facecodec.bitstream import limits
from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.errors import StreamError, UsageError

_MAX_SAMPLE_RATE = 10_000_000  # Hz
_MAX_CHANNELS = 255
_MIN_PACKET_BYTES = 4  # bytes of the fields of a packet
_MAX_DISTANCE = 3 * limits.MAX_PTS  # between two timestamps of which one has a duration


def pack_audio_parameters(parameters: AudioParameters) -> bytes:
    """Return the payload of the audio parameters chunk. Raises UsageError for what does not fit."""
    out = FieldWriter().string(parameters.codec)
    try:
        out.varint(parameters.sample_rate).varint(parameters.channels)
        out.fraction(parameters.time_base).raw(parameters.extradata)
        parse_audio_parameters(bytes(out.data))
    except (StreamError, ValueError) as error:
        raise UsageError(f"a stream cannot carry this audio: {error}") from error
    return bytes(out.data)


def parse_audio_parameters(payload: bytes) -> AudioParameters:
    """Read the payload of the audio parameters chunk.

    Raises StreamError where it breaks the format.
    """
    fields = FieldReader(payload, "audio parameters")
    codec = fields.string()
    sample_rate = fields.varint(1, _MAX_SAMPLE_RATE, "sample rate")
    channels = fields.varint(1, _MAX_CHANNELS, "number of channels")
    time_base = fields.fraction("audio time base")
    if time_base is None:
        raise fields.fail("the time base is missing")
    extradata = fields.rest()
    if len(extradata) > limits.MAX_EXTRADATA:
        raise fields.fail(f"{len(extradata)} bytes of extradata")
    return AudioParameters(codec, sample_rate, channels, extradata, time_base)


def check_packet(packet: AudioPacket) -> None:
    """Raise UsageError for a packet that the format cannot carry."""
    if len(packet.data) > limits.MAX_AUDIO_PACKET:
        raise UsageError(f"an audio packet of {len(packet.data)} bytes is over the limit")
    if max(abs(packet.dts), abs(packet.pts)) > limits.MAX_PTS:
        raise UsageError(f"an audio packet at {packet.pts}, decoded at {packet.dts}: out of range")
    if not 0 <= packet.duration <= limits.MAX_PTS:
        raise UsageError(f"an audio packet that lasts {packet.duration}")


def pack_packets(first: int, packets: Sequence[AudioPacket]) -> bytes:
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
    """Read the payload of an audio chunk: the number of its first packet, and its packets.

    Raises StreamError when it breaks the format.
    """
    fields = FieldReader(payload, "audio chunk")
    first = fields.varint(0, limits.MAX_PTS, "first packet")
    rows: list[tuple[int, int, int, int]] = []
    expected = 0
    for _ in range(fields.varint(0, len(payload) // _MIN_PACKET_BYTES, "number of packets")):
        dts = expected + fields.signed(_MAX_DISTANCE, "audio timestamp")
        pts = dts + fields.signed(_MAX_DISTANCE, "audio timestamp")
        if max(abs(dts), abs(pts)) > limits.MAX_PTS:
            raise fields.fail("an audio timestamp out of range")
        duration = fields.varint(0, limits.MAX_PTS, "audio duration")
        size = fields.varint(0, limits.MAX_AUDIO_PACKET, "audio packet size")
        rows.append((pts, dts, duration, size))
        expected = dts + duration
    packets = [
        AudioPacket(pts, dts, duration, fields.raw(size)) for pts, dts, duration, size in rows
    ]
    fields.end()
    return first, packets
