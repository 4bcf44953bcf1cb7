"""Sound into a container: packets as they are where it takes their codec, else coded again."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.errors import FacecodecError
from facecodec.video.audio import NOTHING, open_parameters
from facecodec.video.source import AnyPacket

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # Hz that the codec knows
CHANNEL_BIT_RATE = 64_000  # bits a second for each coded channel: speech without audible loss
SHORTEST_GAP_SECONDS = Fraction(1, 20)  # in sound that is coded again, filled with silence
LONGEST_GAP_SECONDS = Fraction(
    3600
)  # of it: a file may say that its sound goes on in a million years
MAX_CODED_CHANNELS = 2  # of sound that is coded again


class CopiedSound:
    """Writes packets untouched."""

    def __init__(
        self, out: OutputContainer, track: AudioParameters, ahead: Fraction = NOTHING
    ) -> None:
        """ahead: seconds of sound that are not heard, where the container says so.

        Raises FacecodecError when the track's parameters make no sense.
        """
        self._parameters = open_parameters(track, ahead)  # kept open: the template points into it
        self._stream = out.add_stream_from_template(self._parameters.streams.audio[0])
        self._base = track.time_base

    def packets(self, packet: AudioPacket, shift: int) -> list[AnyPacket]:
        """Return what to write for a packet, moved by `shift` units of the track's time base."""
        out = av.Packet(packet.data)
        out.pts, out.dts, out.duration = packet.pts + shift, packet.dts + shift, packet.duration
        out.time_base, out.stream = self._base, self._stream
        return [out]

    def flush(self) -> list[AnyPacket]:
        """Return what is left to write."""
        return []


class RecodedSound:
    """Decodes packets and codes the sound in a codec that the container takes."""

    def __init__(self, out: OutputContainer, track: AudioParameters, codec: str) -> None:
        """codec: libav's name of the encoder. Raises FacecodecError for parameters of no sense."""
        self._parameters = open_parameters(track)
        self._source = self._parameters.streams.audio[0]
        self._base = track.time_base
        rate, channels = track.sample_rate, min(track.channels, MAX_CODED_CHANNELS)
        if codec == "libopus" and rate not in OPUS_RATES:
            rate = OPUS_RATES[-1]
        elif rate > 48000:
            rate = 48000
        layout = "stereo" if channels == MAX_CODED_CHANNELS else "mono"
        self._stream = cast(AudioStream, out.add_stream(codec, rate=rate, layout=layout))
        self._stream.codec_context.bit_rate = CHANNEL_BIT_RATE * channels
        self._context = self._source.codec_context
        self._resampler = av.AudioResampler("flt" if codec == "libopus" else "fltp", layout, rate)
        self._next: int | None = None  # the time of the next sample, in units of 1 / rate
        self._rate, self._layout = rate, layout

    def packets(self, packet: AudioPacket, shift: int) -> list[AnyPacket]:
        """Return what to write for a packet, moved by `shift` units of the track's time base."""
        coded = av.Packet(packet.data)
        coded.pts, coded.dts, coded.duration = packet.pts, packet.dts, packet.duration
        coded.time_base = self._base
        if self._next is None:
            self._next = round((packet.pts + shift) * self._base * self._rate)
        heard: list[av.AudioFrame] = []
        with suppress(av.FFmpegError):  # a damaged packet is a moment of silence
            heard = self._context.decode(coded)
        silence = self._silence(heard[0], shift * self._base) if heard else []
        return silence + self._coded(heard)

    def _silence(self, frame: av.AudioFrame, shift: Fraction) -> list[AnyPacket]:
        """Return silence up to a decoded frame, moved by `shift` seconds, where others are lost."""
        packets: list[AnyPacket] = []
        if frame.pts is None or self._next is None:
            return packets
        begin = frame.pts * Fraction(frame.time_base or self._base) + shift
        gap = begin - Fraction(self._next, self._rate)
        if gap < SHORTEST_GAP_SECONDS:
            return packets
        left = round(min(gap, LONGEST_GAP_SECONDS) * self._rate)
        while left > 0:
            count = min(left, self._rate)
            frame = av.AudioFrame(self._resampler.format, self._layout, count)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate = self._rate
            packets += self._encoded([frame])
            left -= count
        return packets

    def flush(self) -> list[AnyPacket]:
        """Return what is left to write."""
        heard: list[av.AudioFrame] = []
        with suppress(av.FFmpegError):
            heard = self._context.decode(None)
        packets = self._coded(heard)
        packets += self._encoded(self._resampler.resample(None))
        return packets + list(self._stream.encode(None))

    def _coded(self, frames: list[av.AudioFrame]) -> list[AnyPacket]:
        packets: list[AnyPacket] = []
        for frame in frames:
            frame.pts = None
            packets += self._encoded(self._resampler.resample(frame))
        return packets

    def _encoded(self, frames: list[av.AudioFrame]) -> list[AnyPacket]:
        packets: list[AnyPacket] = []
        for frame in frames:
            begin = self._next or 0
            self._next = begin + frame.samples
            heard = _without(frame, -begin)
            if heard is not None:
                heard.pts, heard.time_base = max(begin, 0), Fraction(1, self._rate)
                packets += self._stream.encode(heard)
        return packets


def _without(frame: av.AudioFrame, count: int) -> av.AudioFrame | None:
    """Return a frame without its first `count` samples, None where it has no others."""
    if count <= 0:
        return frame
    if count >= frame.samples:
        return None
    # a row a channel, or one row of all channels in turn
    samples = frame.to_ndarray().astype(np.float32)
    width = 1 if frame.format.is_planar else frame.layout.nb_channels
    rest = np.ascontiguousarray(samples[:, count * width :])
    cut = av.AudioFrame.from_ndarray(rest, frame.format.name, frame.layout.name)
    cut.sample_rate = frame.sample_rate
    return cut


def open_sound(
    out: OutputContainer,
    track: AudioParameters,
    taken: tuple[str, ...],
    encoder: str,
    ahead: Fraction = NOTHING,
) -> CopiedSound | RecodedSound:
    """Add an audio track; taken: codecs that are copied; encoder: for all others.

    ahead: seconds of sound that are not heard, where the container says so. Raises FacecodecError
    when the track's parameters make no sense.
    """
    try:
        if track.codec in taken:
            return CopiedSound(out, track, ahead)
        return RecodedSound(out, track, encoder)
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise FacecodecError(f"the audio ({track.codec}) cannot be written") from error
