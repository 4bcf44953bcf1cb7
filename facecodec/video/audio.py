"""Audio that is copied: codec parameters as plain data, packets untouched.

libav copies a stream's parameters only from another open stream. So that packets can be written
long after their source is gone, the parameters are laid out as the header of a Matroska file in
memory (RFC 9559), and that header is opened as the stream to copy from.
"""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import av
from av.container import InputContainer

from facecodec.bitstream.audio import AudioParameters
from facecodec.errors import FacecodecError

NOTHING = Fraction(0)  # seconds
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


def open_parameters(track: AudioParameters, ahead: Fraction = NOTHING) -> InputContainer:
    """Return an open container whose only stream has the track's parameters.

    ahead: seconds of sound at its beginning that are decoded and not heard, where the container
    to be says so (Matroska). Raises FacecodecError when the parameters make no sense.
    """
    try:
        container = av.open(io.BytesIO(_matroska_header(track, ahead)), "r", format="matroska")
        if len(container.streams.audio) != 1:
            raise ValueError("no audio stream")
        return container
    except (av.FFmpegError, KeyError, ValueError, struct.error) as error:
        raise FacecodecError(f"the audio parameters ({track.codec}) are not usable") from error


def _matroska_header(track: AudioParameters, ahead: Fraction) -> bytes:
    audio = _element(0xE1, _element(0xB5, struct.pack(">d", track.sample_rate))
                     + _element(0x9F, struct.pack(">B", track.channels)))  # fmt: skip
    setup = _setup(track)
    entry = (
        _element(0xD7, b"\x01")  # track number
        + _element(0x73C5, b"\x01")  # track UID
        + _element(0x83, b"\x02")  # type: audio
        + _element(0x86, CODECS[track.codec].encode())
        + audio
        + (_element(0x63A2, setup) if setup else b"")
        + _delay(track, ahead)
    )
    info = _element(0x1549A966, _element(0x2AD7B1, struct.pack(">I", 1_000_000)))
    tracks = _element(0x1654AE6B, _element(0xAE, entry))
    empty_cluster = _element(0x1F43B675, _element(0xE7, b"\x00"))
    ebml = _element(0x1A45DFA3, _element(0x4282, b"matroska") + _element(0x4287, b"\x04"))
    return ebml + _element(0x18538067, info + tracks + empty_cluster)


def _delay(track: AudioParameters, ahead: Fraction) -> bytes:
    """Return what Matroska says of sound that is decoded and not heard (CodecDelay).

    Of Opus that is its pre-skip (RFC 7845, 5.1), with the 80 ms that it needs after a seek.
    """
    opus = track.codec == "opus" and len(track.extradata) >= 12
    if opus:
        ahead = max(ahead, Fraction(int.from_bytes(track.extradata[10:12], "little"), 48000))
    if not ahead:
        return b""
    delay = _element(0x56AA, struct.pack(">Q", int(ahead * 1_000_000_000)))
    return delay + (_element(0x56BB, struct.pack(">Q", 80_000_000)) if opus else b"")


def _setup(track: AudioParameters) -> bytes:
    """Return a codec's setup bytes as Matroska wraps them, from those that libav keeps."""
    if track.codec == "flac" and not track.extradata.startswith(b"fLaC"):
        block = b"\x80" + len(track.extradata).to_bytes(3, "big")  # the last block, STREAMINFO
        return b"fLaC" + block + track.extradata
    if track.codec == "alac" and track.extradata[4:8] == b"alac":
        return track.extradata[12:]  # without the atom around it
    return track.extradata


def _element(identifier: int, body: bytes) -> bytes:
    name = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return name + (len(body) | 1 << 56).to_bytes(8, "big") + body
