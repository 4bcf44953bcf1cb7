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
from facecodec.video.matroska import AUDIO_TRACK, element, header, track_entry

NOTHING = Fraction(0)  # seconds
OPUS_PRE_ROLL_NANOSECONDS = 80_000_000  # that a decoder needs after a seek (RFC 7845, 4.6)
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
    empty_cluster = element(0x1F43B675, element(0xE7, b"\x00"))
    return header([audio_entry(1, track, ahead)], empty_cluster)


def audio_entry(number: int, track: AudioParameters, ahead: Fraction = NOTHING) -> bytes:
    """Return the entry of an audio track in a Matroska file.

    number: of the track, from 1. ahead: as in `open_parameters`.
    """
    audio = element(0xB5, struct.pack(">d", track.sample_rate))
    audio += element(0x9F, struct.pack(">B", track.channels))
    setup = _setup(track)
    rest = element(0xE1, audio) + (element(0x63A2, setup) if setup else b"")
    delay = codec_delay(track, ahead)
    if delay:
        rest += element(0x56AA, struct.pack(">Q", int(delay * 1_000_000_000)))
        if track.codec == "opus":
            rest += element(0x56BB, struct.pack(">Q", OPUS_PRE_ROLL_NANOSECONDS))
    return track_entry(number, AUDIO_TRACK, CODECS[track.codec], rest)


def codec_delay(track: AudioParameters, ahead: Fraction = NOTHING) -> Fraction:
    """Return how many seconds of sound Matroska says are decoded and not heard (CodecDelay).

    Of Opus that is its pre-skip (RFC 7845, 5.1) at least, and `ahead` of any codec.
    """
    if track.codec == "opus" and len(track.extradata) >= 12:
        return max(ahead, Fraction(int.from_bytes(track.extradata[10:12], "little"), 48000))
    return ahead


def _setup(track: AudioParameters) -> bytes:
    """Return a codec's setup bytes as Matroska wraps them, from those that libav keeps."""
    if track.codec == "flac" and not track.extradata.startswith(b"fLaC"):
        block = b"\x80" + len(track.extradata).to_bytes(3, "big")  # the last block, STREAMINFO
        return b"fLaC" + block + track.extradata
    if track.codec == "alac" and track.extradata[4:8] == b"alac":
        return track.extradata[12:]  # without the atom around it
    return track.extradata
