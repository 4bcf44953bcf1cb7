"""Raw pictures and coded sound as Matroska down a pipe: whoever reads it has each frame at once.

libav holds frames back until it knows what comes next, for the order of its tracks and for its
clusters. Here each frame is a cluster, written when it is there.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.types import Picture
from facecodec.video.audio import CODECS, NOTHING, audio_entry, codec_delay
from facecodec.video.byte_sink import ByteSink
from facecodec.video.colour import BT709, from_rgb
from facecodec.video.matroska import (
    VIDEO_TRACK,
    cluster,
    element,
    live_header,
    number,
    tag,
    track_entry,
)

UNIT_NANOSECONDS = 10_000  # of a timestamp
UNIT = Fraction(UNIT_NANOSECONDS, 1_000_000_000)  # seconds
_PICTURES, _SOUND = 1, 2  # numbers of the tracks
# As Rec. ITU-T H.273 and Matroska number matrix, transfer and primaries; and the range.
_BT709, _LIMITED = 1, 1


class MatroskaSink(ByteSink):
    """Writes frames as they come: YUV 4:2:0 of BT.709, limited range, and sound as it is.

    The first frame is at 0 unless times are kept; sound that ends before it is left out.
    """

    def __init__(
        self,
        target: Path,
        size: tuple[int, int],
        time_base: Fraction,
        audio: AudioParameters | None,
        metadata: dict[str, str],
        keep_times: bool = False,
    ) -> None:
        """target: a path, or - for standard output. The rest: see `open_sink`."""
        self._base = time_base
        self._origin: Fraction | None = NOTHING if keep_times else None  # seconds
        self._held: list[AudioPacket] = []  # sound that came before the first frame
        self._audio = audio if audio is not None and audio.codec in CODECS else None
        self.takes_audio = self._audio is not None
        super().__init__(target)
        tracks = [track_entry(_PICTURES, VIDEO_TRACK, "V_UNCOMPRESSED", _video(size))]
        if self._audio is not None:
            self._delay = codec_delay(self._audio)
            tracks.append(audio_entry(_SOUND, self._audio))
        tags = b"".join(tag(name.upper(), text) for name, text in metadata.items())
        self.put(live_header(tracks, UNIT_NANOSECONDS, tags))

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3], at `pts` ticks."""
        if self._origin is None:
            self._origin = pts * self._base
        held, self._held = self._held, []
        for packet in held:
            self.write_audio(packet)
        frame = from_rgb(image, "yuv420p", BT709)
        self._block(_PICTURES, pts * self._base - self._origin, frame.to_ndarray().tobytes())

    def write_audio(self, packet: AudioPacket) -> None:
        """Add an audio packet; what ends before the first frame is left out."""
        if self._audio is None:
            return
        if self._origin is None:
            self._held.append(packet)
            return
        base = self._audio.time_base
        begin = packet.pts * base - self._origin + self._delay
        if begin >= 0 and begin + packet.duration * base > self._delay:
            self._block(_SOUND, begin, packet.data)

    def _block(self, track: int, time: Fraction, data: bytes) -> None:
        self.put(cluster(max(round(time / UNIT), 0), track, data))


def _video(size: tuple[int, int]) -> bytes:
    """Return what Matroska says of raw pictures: their size and colours."""
    colour = b"".join(
        number(identifier, value)
        for identifier, value in (
            (0x55B1, _BT709), (0x55B9, _LIMITED), (0x55BA, _BT709), (0x55BB, _BT709),
        )
    )  # fmt: skip
    video = number(0xB0, size[0]) + number(0xBA, size[1]) + number(0x9A, 2)  # progressive
    return element(0xE0, video + element(0x2EB524, b"I420") + element(0x55B0, colour))
