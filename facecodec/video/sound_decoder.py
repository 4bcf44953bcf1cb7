"""Packets of a track to sound."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import av

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.video.audio import open_parameters


class SoundDecoder:
    """Decodes the packets of a track in their order. Not for several threads at once."""

    def __init__(self, track: AudioParameters) -> None:
        """Raises FacecodecError for parameters that make no sense."""
        self._parameters = open_parameters(track)  # kept open: the decoder is its own
        self._context = self._parameters.streams.audio[0].codec_context
        self._base = track.time_base

    def decode(self, packet: AudioPacket) -> tuple[list[av.AudioFrame], Fraction | None]:
        """Return the sound of a packet, nothing for a damaged one, and its time in seconds."""
        coded = av.Packet(packet.data)
        coded.pts, coded.dts, coded.duration = packet.pts, packet.dts, packet.duration
        coded.time_base = self._base
        heard: list[av.AudioFrame] = []
        with suppress(av.FFmpegError):  # a damaged packet is a moment of silence
            heard = self._context.decode(coded)
        if not heard or heard[0].pts is None:
            return heard, None
        return heard, heard[0].pts * Fraction(heard[0].time_base or self._base)

    def flush(self) -> list[av.AudioFrame]:
        """Return the sound that is left."""
        with suppress(av.FFmpegError):
            return self._context.decode(None)
        return []
