"""Which of a file's tracks are read: those that ffmpeg would take, or those asked for."""

from __future__ import annotations

from pathlib import Path

from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from facecodec.arguments import whole
from facecodec.errors import FacecodecError, UsageError

_DEFAULT = 5_000_000  # what the mark of the default track is worth, in pixels or channels
_COVERS = Disposition.attached_pic | Disposition.timed_thumbnails


def video_track(container: InputContainer, path: Path, number: int | None) -> VideoStream:
    """Return the video track: number `number` (from 0), else the largest, or the default one.

    Raises FacecodecError when there is none; a cover picture is none.
    """
    tracks = [s for s in container.streams.video if not s.disposition & _COVERS]
    if not tracks:
        cover = ", only a cover picture" if container.streams.video else ""
        raise FacecodecError(f"{path}: holds no video{cover}")
    if number is not None:
        track = tracks[_checked(number, len(tracks), path, "video")]
        tracks = [track]
    tracks = [s for s in tracks if s.codec_context is not None]
    if not tracks:
        raise FacecodecError(f"{path}: no decoder reads its kind of video")
    return max(tracks, key=lambda s: s.width * s.height + _marked(s.disposition))


def audio_track(container: InputContainer, path: Path, number: int | None) -> AudioStream | None:
    """Return the audio track: number `number` (from 0), else that of most channels or the default.

    None when there is no audio.
    """
    tracks = list(container.streams.audio)
    if number is not None:
        return tracks[_checked(number, len(tracks), path, "audio")]
    if not tracks:
        return None
    return max(tracks, key=lambda s: _channels(s) + _marked(s.disposition))


def _channels(track: AudioStream) -> int:
    context: AudioCodecContext | None = track.codec_context  # None where no decoder knows it
    return context.channels if context is not None else 0


def _marked(disposition: Disposition) -> int:
    return _DEFAULT if disposition & Disposition.default else 0


def _checked(number: int, count: int, path: Path, kind: str) -> int:
    if whole(number, f"{kind}_track") >= count:
        raise UsageError(
            f"{path}: no {kind} track {number}; it has {count}, counted from 0",
            argument=f"{kind}_track",
        )
    return number
