"""Audio that rides along: codec parameters as plain data, packets untouched.

libav copies a stream's parameters only from another open stream. So that packets can be written
long after their source is gone, the parameters are laid out as the header of a Matroska file in
memory (RFC 9559), and that header is opened as the stream to copy from.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from facecodec.errors import FacecodecError

# libav's codec name -> Matroska's codec ID
CODECS = {
    "aac": "A_AAC",
    "mp3": "A_MPEG/L3",
    "mp2": "A_MPEG/L2",
    "opus": "A_OPUS",
    "vorbis": "A_VORBIS",
    "flac": "A_FLAC",
    "alac": "A_ALAC",
    "ac3": "A_AC3",
    "eac3": "A_EAC3",
}


@dataclass(frozen=True)
class AudioTrack:
    """What a decoder must know of an audio stream: codec name, Hz, channels, codec header."""

    codec: str
    sample_rate: int
    channels: int
    extradata: bytes
    time_base: Fraction


@dataclass(frozen=True)
class AudioPacket:
    """One coded packet; pts, dts and duration are in units of the track's time base."""

    pts: int
    dts: int
    duration: int
    data: bytes


def describe_audio(stream: AudioStream) -> AudioTrack | None:
    """Return the parameters of an open stream, or None for a codec that cannot ride along."""
    codec = stream.codec_context.codec.canonical_name
    if codec not in CODECS or stream.time_base is None:
        return None
    return AudioTrack(
        codec,
        int(stream.codec_context.sample_rate),
        len(stream.codec_context.layout.channels),
        bytes(stream.codec_context.extradata or b""),
        Fraction(stream.time_base),
    )


def open_parameters(track: AudioTrack) -> InputContainer:
    """Return an open container whose only stream has the track's parameters.

    Raises FacecodecError when they make no sense.
    """
    try:
        container = av.open(io.BytesIO(_matroska_header(track)), "r", format="matroska")
        if len(container.streams.audio) != 1:
            raise ValueError("no audio stream")
        return container
    except (av.FFmpegError, KeyError, ValueError, struct.error) as error:
        raise FacecodecError(f"the audio parameters ({track.codec}) are not usable") from error


def _matroska_header(track: AudioTrack) -> bytes:
    audio = _element(0xE1, _element(0xB5, struct.pack(">d", track.sample_rate))
                     + _element(0x9F, struct.pack(">B", track.channels)))  # fmt: skip
    entry = (
        _element(0xD7, b"\x01")  # track number
        + _element(0x73C5, b"\x01")  # track UID
        + _element(0x83, b"\x02")  # type: audio
        + _element(0x86, CODECS[track.codec].encode())
        + audio
        + (_element(0x63A2, track.extradata) if track.extradata else b"")
    )
    info = _element(0x1549A966, _element(0x2AD7B1, struct.pack(">I", 1_000_000)))
    tracks = _element(0x1654AE6B, _element(0xAE, entry))
    empty_cluster = _element(0x1F43B675, _element(0xE7, b"\x00"))
    ebml = _element(0x1A45DFA3, _element(0x4282, b"matroska") + _element(0x4287, b"\x04"))
    return ebml + _element(0x18538067, info + tracks + empty_cluster)


def _element(identifier: int, body: bytes) -> bytes:
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + (len(body) | 1 << 56).to_bytes(8, "big") + body
