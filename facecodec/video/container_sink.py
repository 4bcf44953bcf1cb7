"""A video file by libav: MP4, MOV, Matroska or WebM, with exact timestamps and sound."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from facecodec.atomic import abandon, written_whole
from facecodec.bitstream.audio import AudioPacket, AudioParameters
from facecodec.errors import FacecodecError
from facecodec.types import Picture
from facecodec.video.audio import CODECS, NOTHING, open_parameters
from facecodec.video.audio_source import AAC_PRIMING_SAMPLES
from facecodec.video.coding import RGB_FORMATS, USUALLY, Writing
from facecodec.video.colour import from_rgb
from facecodec.video.manners import quiet, usual_priority
from facecodec.video.sink import Sink, readable_errors
from facecodec.video.sound_out import CopiedSound, RecodedSound, open_sound
from facecodec.video.source import AnyPacket, reason

SPACE_CHECK_FRAMES = 8  # frames between looks at the space left
CLUSTER_MILLISECONDS = "1000"  # milliseconds of a Matroska file that are written at once
SPARE_BYTES = 1 << 18  # bytes that have to be free: more than libav holds back before it writes


@dataclass(frozen=True)
class Kind:
    """A container: libav's name, audio as it is and coded.

    delays: sound at the beginning that is not heard is said by a delay, and no time is below 0.
    """

    name: str
    taken: tuple[str, ...]
    encoder: str
    delays: bool = False


KINDS = {
    ".mp4": Kind("mp4", ("aac", "mp3", "mp2", "opus", "flac", "alac", "ac3", "eac3"), "aac"),
    ".mov": Kind("mov", ("aac", "mp3", "mp2", "alac", "ac3", "eac3"), "aac"),
    ".mkv": Kind("matroska", tuple(CODECS), "aac", delays=True),
    ".webm": Kind("webm", ("opus", "vorbis"), "libopus", delays=True),
}  # fmt: skip


class ContainerSink(Sink):
    """Writes a container; the file begins with its first frame at 0 unless times are kept."""

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction | None,
        audio: AudioParameters | None,
        metadata: dict[str, str],
        how: Writing = USUALLY,
    ) -> None:
        """See `facecodec.video.writer.open_sink`.

        Raises FacecodecError for a file that cannot be written.
        """
        self.path, self.time_base = path, time_base
        self._kind = kind = KINDS[path.suffix.lower()]
        self._stack = ExitStack()
        self._temporary = self._stack.enter_context(written_whole(path))
        self._out: OutputContainer | None = None
        self._frames = 0
        self._origin: int | None = 0 if how.keep_times else None  # units of the time base
        self._held: list[AudioPacket] = []  # audio that came before the first frame
        self._track = audio
        self._codec, self._format = how.codec_for(path), how.format_for(path)
        self._crf = how.crf
        try:
            self._out = self._opened(kind)
            self._out.metadata.update(metadata)
            self._video = self._video_track(self._out, kind, size, rate)
            self._sound: CopiedSound | RecodedSound | None = None
            if audio is not None:
                open_parameters(audio).close()  # whether they make sense
                if audio.codec not in kind.taken:
                    self.recoded = kind.encoder.removeprefix("lib")
        except (av.FFmpegError, OSError, OverflowError, ValueError) as error:
            self.abort()
            raise FacecodecError(f"{path}: cannot be written ({reason(error)})") from error
        except FacecodecError as error:
            self.abort()
            raise FacecodecError(f"{path}: {error}") from error
        self.takes_audio = audio is not None

    def _opened(self, kind: Kind) -> OutputContainer:
        options = {}
        if kind.name in ("mp4", "mov"):
            options = {"movflags": "+faststart+use_metadata_tags"}
            if self.time_base.numerator == 1 and self.time_base.denominator < 1 << 31:
                options["video_track_timescale"] = str(self.time_base.denominator)
        else:  # clusters are held back in memory, and a full disk is noticed late
            options = {"cluster_time_limit": CLUSTER_MILLISECONDS}
        # as a file whatever its folder is called: "http:" may be a name too
        url = f"file:{self._temporary.absolute()}"
        return av.open(url, "w", format=kind.name, options=options)

    def _video_track(
        self, out: OutputContainer, kind: Kind, size: tuple[int, int], rate: Fraction | None
    ) -> VideoStream:
        options = self._codec.settings(self._crf)
        video = out.add_stream(self._codec.encoder, rate=rate or Fraction(30), options=options)
        assert isinstance(video, VideoStream)
        video.width, video.height = size
        video.pix_fmt = self._format
        if self._codec.tag and kind.name in ("mp4", "mov"):
            video.codec_context.codec_tag = self._codec.tag
        video.time_base = video.codec_context.time_base = self.time_base
        context = video.codec_context
        if not self._in_rgb:
            context.color_range, context.colorspace = 1, 1  # limited range, BT.709
            context.color_primaries, context.color_trc = 1, 1
        context.thread_type = "AUTO"
        if self._codec.encoder == "libsvtav1":
            with quiet(), usual_priority():
                context.open()
        return video

    @property
    def _in_rgb(self) -> bool:
        return self._format in RGB_FORMATS

    def write(self, image: Picture, pts: int) -> None:
        """Add a picture, uint8 RGB [H, W, 3], at `pts` ticks."""
        if self._frames == 0:
            self._begin(pts)
        frame = from_rgb(image, self._format)
        frame.pts, frame.time_base = pts - (self._origin or 0), self.time_base
        with readable_errors(self.path):
            self._mux(self._video.encode(frame))
        if self._frames % SPACE_CHECK_FRAMES == 0:
            self._look_at_space()
        self._frames += 1

    def _begin(self, pts: int) -> None:
        """Add the sound, now that it is known by how much it begins before the first frame."""
        if self._origin is None:
            self._origin = pts
        if self._track is None or self._out is None:
            return
        held = [packet for packet in self._held if self._is_heard(packet)]
        ahead = NOTHING
        if held and self._kind.delays:
            ahead = max(ahead, -(held[0].pts + self._shift) * self._track.time_base)
        with readable_errors(self.path):
            kind = self._kind
            self._sound = open_sound(self._out, self._track, kind.taken, kind.encoder, ahead)
        self._held = []
        for packet in held:
            self.write_audio(packet)

    @property
    def _shift(self) -> int:
        """Return what is added to the times of audio packets, in units of their time base."""
        assert self._track is not None and self._origin is not None
        return -round(self._origin * self.time_base / self._track.time_base)

    def _is_heard(self, packet: AudioPacket) -> bool:
        """Return whether a packet does not end before the first frame, or gets a decoder going."""
        assert self._track is not None
        priming = Fraction(AAC_PRIMING_SAMPLES, self._track.sample_rate)
        end = packet.pts + packet.duration + self._shift
        return end * self._track.time_base >= -priming

    def write_audio(self, packet: AudioPacket) -> None:
        """Add an audio packet; what ends before the first frame is left out."""
        if self._track is None:
            return
        if self._sound is None:
            self._held.append(packet)
        elif self._is_heard(packet):
            with readable_errors(self.path):
                self._mux(self._sound.packets(packet, self._shift))

    def _mux(self, packets: list[AnyPacket]) -> None:
        assert self._out is not None
        self._out.mux(packets)

    def _look_at_space(self) -> None:
        """Fail while little work is lost: libav writes long after it was given a frame."""
        with suppress(OSError):  # not every file system says
            if shutil.disk_usage(self._temporary).free < SPARE_BYTES:
                raise FacecodecError(f"{self.path}: cannot be written (no space left on device)")

    def close(self) -> None:
        """Flush the encoders and rename the file into place."""
        assert self._out is not None
        try:
            with readable_errors(self.path):
                self._mux(self._video.encode(None))
                if self._sound is not None:
                    self._mux(self._sound.flush())
                self._out.close()
        except BaseException:
            self.abort()
            raise
        self._stack.close()

    def abort(self) -> None:
        """Remove what was written."""
        if self._out is not None:
            with suppress(av.FFmpegError, OSError, ValueError):  # the file goes away next
                self._out.close()
        abandon(self._stack)
