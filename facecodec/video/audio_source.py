"""Audio out of a file: its parameters, and its packets without what an edit list cut away."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.video.audio import CODECS
from facecodec.video.source import AnyPacket, demuxed
from facecodec.video.timeline import Clock

# Sound before the clip's beginning that an encoder needs to get going: two packets of AAC and some.
AAC_PRIMING_SAMPLES = 2112  # samples


def describe_audio(container: InputContainer, stream: AudioStream) -> AudioParameters | None:
    """Return the parameters of an open stream, None for a codec that cannot be carried.

    Packets of the container may be consumed.
    """
    context = stream.codec_context
    if context is None or stream.time_base is None:
        return None
    codec = context.codec.canonical_name
    if codec not in CODECS:
        return None
    extradata = bytes(context.extradata or b"")
    if codec == "aac" and not extradata:
        extradata = next((e for _, e in _unwrapped(container, stream) if e), b"")
        if not extradata:
            return None
    return AudioParameters(
        codec, int(context.sample_rate), len(context.layout.channels), extradata,
        Fraction(stream.time_base),
    )  # fmt: skip


def packets(
    container: InputContainer,
    stream: AudioStream,
    track: AudioParameters,
    clock: Clock,
    begin: Fraction,
) -> Iterator[AudioPacket]:
    """Yield the packets of a track that are heard; begin: when the clip begins, in seconds.

    What lies before it is dropped, unless it is no more than an encoder's priming.
    """
    head: deque[AudioPacket] | None = deque()
    source = _unwrapped(container, stream) if track.codec == "aac" else _plain(container, stream)
    for packet, _ in source:
        clock.shift(packet)
        if packet.pts is None:
            continue
        dts = packet.pts if packet.dts is None else packet.dts
        out = AudioPacket(packet.pts, dts, packet.duration or 0, bytes(packet))
        ended = (out.pts + out.duration) * track.time_base <= begin
        if head is not None and (ended or packet.is_discard):
            head.append(out)
        elif not packet.is_discard:
            if head is not None:
                yield from _priming(head, track)
                head = None
            yield out


def _priming(head: deque[AudioPacket], track: AudioParameters) -> Iterator[AudioPacket]:
    length = sum(p.duration for p in head) * track.time_base * track.sample_rate
    return iter(head if length <= AAC_PRIMING_SAMPLES else ())


def _plain(
    container: InputContainer, stream: AudioStream
) -> Iterator[tuple[AnyPacket, bytes | None]]:
    for packet in demuxed(container, stream):
        if packet.size:
            yield packet, None


def _unwrapped(
    container: InputContainer, stream: AudioStream
) -> Iterator[tuple[AnyPacket, bytes | None]]:
    """Yield AAC packets without the header (ADTS) that each has in transport streams.

    With the first of them goes what the headers say, as the setup bytes other containers want.
    """
    if stream.codec_context.extradata:
        yield from _plain(container, stream)
        return
    strip = BitStreamFilterContext("aac_adtstoasc", stream)
    for packet, _ in _plain(container, stream):
        try:
            bare = strip.filter(packet)
        except av.FFmpegError:
            continue  # a damaged header
        for out in bare:
            setup = None
            if out.has_sidedata("new_extradata"):
                setup = bytes(out.get_sidedata("new_extradata"))
            yield out, setup
