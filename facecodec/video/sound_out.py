"""Sound into a container: packets as they are where it takes their codec, else coded again."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.errors import FacecodecError
from facecodec.video.audio import NOTHING, open_parameters
from facecodec.video.sound_coder import MAX_CODED_CHANNELS, SoundCoder
from facecodec.video.sound_decoder import SoundDecoder
from facecodec.video.source import AnyPacket

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)  # Hz that the codec knows
CHANNEL_BIT_RATE = 64_000  # bits a second for each coded channel: speech without audible loss


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
        self._decoder = SoundDecoder(track)
        rate, channels = track.sample_rate, min(track.channels, MAX_CODED_CHANNELS)
        if codec == "libopus" and rate not in OPUS_RATES:
            rate = OPUS_RATES[-1]
        elif rate > 48000:
            rate = 48000
        layout = "stereo" if channels == MAX_CODED_CHANNELS else "mono"
        stream = cast(AudioStream, out.add_stream(codec, rate=rate, layout=layout))
        stream.codec_context.bit_rate = CHANNEL_BIT_RATE * channels
        form = "flt" if codec == "libopus" else "fltp"
        self._coder = SoundCoder(stream.encode, form, layout, rate)
        self._base = track.time_base

    def packets(self, packet: AudioPacket, shift: int) -> list[AnyPacket]:
        """Return what to write for a packet, moved by `shift` units of the track's time base."""
        self._coder.start((packet.pts + shift) * self._base)
        heard, begin = self._decoder.decode(packet)
        moved = None if begin is None else begin + shift * self._base
        return self._coder.add(heard, moved)

    def flush(self) -> list[AnyPacket]:
        """Return what is left to write."""
        return self._coder.add(self._decoder.flush(), None) + self._coder.flush()


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
