"""Sound as Opus (RFC 6716) at a few kilobits a second, by libopus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

import av

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.errors import FacecodecError, UsageError
from facecodec.video.sound_coder import SoundCoder
from facecodec.video.sound_decoder import SoundDecoder
from facecodec.video.source import AnyPacket, reason

RATE = 48000  # Hz; Opus itself keeps what its bits are enough for
BASE = Fraction(1, RATE)  # seconds
DEFAULT_BIT_RATE = 16_000  # bits a second: speech, wide band
BIT_RATES = (6_000, 256_000)  # bits a second that may be asked for
CHEAP_BIT_RATE = 32_000  # of sound that is kept as it is
STEREO_BIT_RATE = 32_000  # from which on two channels stay two
LOW_BIT_RATE = 12_000  # below which longer packets pay
WEIGHED_PACKETS = 3000  # whose mean rate is a track's: a minute of most codecs
TRIED_PACKETS = 32  # before sound is taken for what cannot be decoded
PACKET_MILLISECONDS, LOW_PACKET_MILLISECONDS = 20, 60
AUDIO_CHOICES = ("auto", "copy", "opus", "none")
# What gives the packets of a track from the beginning, each time it is called.
Packets = Callable[[], Iterator[AudioPacket]]


class Sound(NamedTuple):
    """The parameters of a track, None for no sound, and its packets, once."""

    parameters: AudioParameters | None
    packets: Iterator[AudioPacket]


class OpusCoder:
    """Codes sound as it comes. `parameters` are those of the packets it gives."""

    def __init__(
        self, channels: int, bit_rate: int = DEFAULT_BIT_RATE, milliseconds: int | None = None
    ) -> None:
        """channels: of the sound; those beyond two, and two at a low rate, are mixed.

        bit_rate: bits a second. milliseconds: of a packet, 20, 40 or 60; as suits the rate when
        None. Raises UsageError for a rate out of range.
        """
        check_bit_rate(bit_rate)
        long = bit_rate < LOW_BIT_RATE
        milliseconds = milliseconds or (LOW_PACKET_MILLISECONDS if long else PACKET_MILLISECONDS)
        layout = "stereo" if channels > 1 and bit_rate >= STEREO_BIT_RATE else "mono"
        context = av.CodecContext.create("libopus", "w")
        context.sample_rate, context.layout, context.format = RATE, layout, "flt"
        context.bit_rate, context.time_base = bit_rate, BASE
        context.options = {"application": "voip", "frame_duration": str(milliseconds)}
        context.open()
        head = bytes(context.extradata or b"")
        self.parameters = AudioParameters("opus", RATE, context.layout.nb_channels, head, BASE)
        self._coder = SoundCoder(context.encode, "flt", layout, RATE)

    def start(self, time: Fraction) -> None:
        """Say when the first sample is heard, in seconds."""
        self._coder.start(time)

    def add(self, frames: list[av.AudioFrame], begin: Fraction | None) -> list[AudioPacket]:
        """Return the packets that are ready, in units of 1/48000 s; see `SoundCoder.add`."""
        return [_plain(packet) for packet in self._coder.add(frames, begin)]

    def flush(self) -> list[AudioPacket]:
        """Return what is left, and end."""
        return [_plain(packet) for packet in self._coder.flush()]


def _plain(packet: AnyPacket) -> AudioPacket:
    pts = packet.pts or 0
    return AudioPacket(pts, pts, packet.duration or 0, bytes(packet))


def as_opus(track: AudioParameters, packets: Iterator[AudioPacket], bit_rate: int) -> Sound:
    """Return a track coded as Opus, in step with what it was.

    Raises FacecodecError for sound that cannot be decoded, UsageError for a rate out of range.
    """
    decoder, coder = _decoder(track), OpusCoder(track.channels, bit_rate)

    def coded() -> Iterator[AudioPacket]:
        for packet in packets:
            coder.start(packet.pts * track.time_base)
            yield from coder.add(*decoder.decode(packet))
        yield from coder.add(decoder.flush(), None)
        yield from coder.flush()

    return Sound(coder.parameters, coded())


def chosen_audio(
    track: AudioParameters | None, packets: Packets, choice: str, bit_rate: int | None
) -> Sound:
    """Return the sound that a stream is to have.

    track, packets: the source's. choice: 'copy' keeps it as it is, 'opus' codes it, 'none' leaves
    it out. bit_rate: of Opus, in bits a second; 16,000 when None. Raises FacecodecError for sound
    that cannot be decoded.
    """
    if track is None or choice == "none":
        return Sound(None, iter(()))
    if choice == "copy":
        return Sound(track, packets())
    return as_opus(track, packets(), bit_rate or DEFAULT_BIT_RATE)


def _bit_rate(track: AudioParameters, packets: Iterator[AudioPacket]) -> float:
    """Return the mean rate of a track in bits a second."""
    total, begin, end = 0, None, Fraction(0)
    for packet in packets:
        begin = packet.pts * track.time_base if begin is None else begin
        end = (packet.pts + packet.duration) * track.time_base
        total += len(packet.data)
    length = float(end - (begin or 0))
    return 8 * total / length if length > 0 else 0.0


def check_audio(choice: str, bit_rate: int | None) -> None:
    """Raise UsageError for a choice that there is not, or a bit rate that is of no use to it."""
    if choice not in AUDIO_CHOICES:
        known = ", ".join(AUDIO_CHOICES)
        raise UsageError(f"no audio {choice!r}; there are: {known}", argument="audio")
    if bit_rate is None:
        return
    check_bit_rate(bit_rate)
    if choice in ("copy", "none"):
        raise UsageError(f"audio {choice!r} has no bit rate to choose", argument="audio_bitrate")


def settled(track: AudioParameters | None, packets: Packets, choice: str) -> str:
    """Return the choice for a track: 'opus' for 'auto' where it takes over 32 kilobits a second.

    packets: the track's, of which the first ones are tried. Raises FacecodecError, before any work,
    for sound that is to be coded and cannot be decoded.
    """
    if track is None:
        return "none"
    if choice == "auto":
        rate = _bit_rate(track, islice(packets(), WEIGHED_PACKETS))
        choice = "copy" if rate <= CHEAP_BIT_RATE else "opus"
    if choice == "opus":
        decoder, tried = _decoder(track), list(islice(packets(), TRIED_PACKETS))
        heard = any(decoder.decode(packet)[0] for packet in tried)
        if tried and not heard and not decoder.flush():
            raise FacecodecError(
                f"the audio ({track.codec}) cannot be decoded; copy or leave it out"
            )
    return choice


def _decoder(track: AudioParameters) -> SoundDecoder:
    try:
        return SoundDecoder(track)
    except (av.FFmpegError, ValueError) as error:
        raise FacecodecError(
            f"the audio ({track.codec}) cannot be decoded ({reason(error)}); copy or leave it out"
        ) from error


def check_bit_rate(bit_rate: int) -> None:
    """Raise UsageError for a bit rate out of range."""
    low, high = BIT_RATES
    if not low <= bit_rate <= high:
        raise UsageError(
            f"an audio bit rate of {bit_rate}; allowed are {low} to {high} bits a second",
            argument="audio_bitrate",
        )
