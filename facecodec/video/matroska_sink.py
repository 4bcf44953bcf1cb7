"""Raw pictures and coded sound as Matroska down a pipe: whoever reads it has each frame at once.

libav holds frames back until it knows what comes next, for the order of its tracks and for its
clusters. Here each frame is a cluster, written when it is there.
"""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av

from facecodec.atomic import STANDARD_OUTPUT, abandon, opened_whole
from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.pipe import PipeWriter
from facecodec.types import Picture
from facecodec.video.audio import CODECS, NOTHING, audio_entry, codec_delay
from facecodec.video.matroska import (
    VIDEO_TRACK,
    cluster,
    element,
    live_header,
    number,
    tag,
    track_entry,
)
from facecodec.video.sink import Sink, readable_errors

UNIT_NANOSECONDS = 10_000  # of a timestamp
UNIT = Fraction(UNIT_NANOSECONDS, 1_000_000_000)  # seconds
_PICTURES, _SOUND = 1, 2  # numbers of the tracks
_BT709, _LIMITED = (
    1,
    1,
)  # as Rec. ITU-T H.273 and Matroska number matrix, transfer, primaries; range


class MatroskaSink(Sink):
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
        self._path = None if str(target) == STANDARD_OUTPUT else target
        tracks = [track_entry(_PICTURES, VIDEO_TRACK, "V_UNCOMPRESSED", _video(size))]
        if self._audio is not None:
            self._delay = codec_delay(self._audio)
            tracks.append(audio_entry(_SOUND, self._audio))
        tags = b"".join(tag(name.upper(), text) for name, text in metadata.items())
        self._stack = ExitStack()
        self._file = self._stack.enter_context(opened_whole(target))
        self._put(live_header(tracks, UNIT_NANOSECONDS, tags))

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3], at `pts` ticks."""
        if self._origin is None:
            self._origin = pts * self._base
        held, self._held = self._held, []
        for packet in held:
            self.write_audio(packet)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
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
        self._put(cluster(max(round(time / UNIT), 0), track, data))

    def _put(self, data: bytes) -> None:
        if self._path is None:  # who reads a pipe may go away: that is no failure to write
            self._file.write(data)
            return
        with readable_errors(self._path):
            self._file.write(data)

    def close(self) -> None:
        """Flush, and rename a file into place."""
        self._file.flush()
        self._stack.close()

    def cancel(self) -> None:
        """End a write that waits for a reader."""
        if isinstance(self._file, PipeWriter):
            self._file.stop()

    def abort(self) -> None:
        """Remove what was written."""
        abandon(self._stack)


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
