"""Which encoders a video can be written with, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from facecodec.errors import UsageError
from facecodec.video.manners import quiet


@dataclass(frozen=True)
class Codec:
    """An encoder: libav's name, the containers that take it, and what it takes.

    options: beside `crf`. usual, best, worst: of `crf`; None for an encoder without. formats: of
    its pictures, by bits a channel. tag: by which players know it in MP4 and MOV. quality: libav's
    name of what `crf` sets. hardware: it needs a device, which a machine may lack.
    """

    encoder: str
    endings: tuple[str, ...]
    options: Mapping[str, str]
    usual: int | None
    worst: int
    formats: Mapping[int, str]
    tag: str = ""
    quality: str = "crf"
    hardware: bool = False

    def settings(self, crf: int | None) -> dict[str, str]:
        """Return libav's options."""
        quality = self.usual if crf is None else crf
        return {**self.options, **({} if quality is None else {self.quality: str(quality)})}

    def check_opens(self) -> None:
        """Raise UsageError where the encoder needs hardware that this machine has not."""
        context = av.CodecContext.create(self.encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height = TRIAL_SIZE
        context.pix_fmt, context.time_base = self.formats[min(self.formats)], Fraction(1, 25)
        context.options = self.settings(None)
        try:
            with quiet():
                context.open()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise UsageError(
                f"{self.encoder} does not start: this machine lacks its hardware, or the driver",
                argument="codec",
            ) from error


TRIAL_SIZE = (256, 256)  # pixels of a picture with which an encoder is tried
_PLANAR = {8: "yuv420p", 10: "yuv420p10le"}
CODECS = {
    "x264": Codec("libx264", (".mp4", ".mov", ".mkv"), {"preset": "superfast"}, 17, 51, _PLANAR),
    "x265": Codec(
        "libx265", (".mp4", ".mov", ".mkv"),
        {"preset": "superfast", "x265-params": "log-level=none"}, 19, 51, _PLANAR, "hvc1",
    ),
    "av1": Codec(
        "libsvtav1", (".mp4", ".mkv", ".webm"), {"preset": "9"}, 24, 63, _PLANAR,
    ),
    "vp9": Codec(
        "libvpx-vp9", (".webm", ".mkv", ".mp4"),
        {"b:v": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}, 24, 63,
        {8: "yuv420p"},
    ),
    "prores": Codec("prores_ks", (".mov", ".mkv"), {"profile": "3"}, None, 0, {10: "yuv422p10le"}),
    "ffv1": Codec("ffv1", (".mkv",), {"level": "3"}, None, 0, {8: "bgr0"}),  # lossless
}  # fmt: skip
_MP4 = (".mp4", ".mov", ".mkv")
_NV12 = {8: "nv12", 10: "p010le"}
# Encoders of devices, at a constant quality. Apple's have none on all chips: a high rate instead.
CODECS |= {
    f"{kind}_{maker}": Codec(
        f"{kind}_{maker}", (".mp4", ".mkv") if kind == "av1" else _MP4, options, usual, 51,
        {8: "nv12"} if kind == "h264" else _NV12, "hvc1" if kind == "hevc" else "", quality, True,
    )
    for maker, kinds, options, usual, quality in (
        ("nvenc", ("h264", "hevc", "av1"), {"rc": "vbr", "b": "0", "preset": "p4"}, 19, "cq"),
        ("qsv", ("h264", "hevc", "av1"), {"preset": "medium"}, 19, "global_quality"),
        ("videotoolbox", ("h264", "hevc"), {"b": "12000000"}, None, ""),
    )
    for kind in kinds
}  # fmt: skip
RGB_FORMATS = ("bgr0",)
USUAL = {".mp4": "x264", ".mov": "x264", ".mkv": "x264", ".webm": "vp9"}


@dataclass(frozen=True)
class Writing:
    """How a video is to be written.

    keep_times: the first frame keeps its time; otherwise it is at 0, and sound moves along.
    codec: one of `CODECS`; the container's usual one when None. crf: its quality, 0 the best; the
    usual one when None. bits: a channel, 8 or 10; as few as the codec takes when None.
    fps: frames a second; those that there are when None.
    """

    keep_times: bool = False
    codec: str | None = None
    crf: int | None = None
    bits: int | None = None
    fps: Fraction | None = None

    def codec_for(self, path: Path) -> Codec:
        """Return the codec of a container by its file's name."""
        return CODECS[self.codec or USUAL[path.suffix.lower()]]

    def format_for(self, path: Path) -> str:
        """Return libav's name of the format of its pictures."""
        formats = self.codec_for(path).formats
        return formats[self.bits or min(formats)]

    @property
    def usual(self) -> bool:
        """Return whether nothing is asked of the codec."""
        return self.codec is None and self.crf is None and self.bits is None


USUALLY = Writing()


def check_writing(output: str, how: Writing) -> None:
    """Raise UsageError for a codec, a quality or bits that an output cannot have.

    output: a name that `facecodec.video.writer.check_output` takes.
    """
    if how.usual:
        return
    path = Path(output)
    ending = path.suffix.lower()
    if output == "-" or ending not in USUAL:
        containers = ", ".join(USUAL)
        raise UsageError(
            f"{output}: a codec and its quality are for videos ({containers})", argument="codec"
        )
    if how.codec is not None and how.codec not in CODECS:
        known = ", ".join(CODECS)
        raise UsageError(f"no codec {how.codec!r}; there are: {known}", argument="codec")
    codec, name = how.codec_for(path), how.codec or USUAL[ending]
    if ending not in codec.endings:
        takes = ", ".join(codec.endings)
        raise UsageError(f"{output}: {name} is written to {takes}", argument="codec")
    if codec.encoder not in av.codecs_available:
        raise UsageError(f"this build of PyAV has no {codec.encoder}", argument="codec")
    if codec.hardware:
        codec.check_opens()
    if how.crf is not None and codec.usual is None:
        raise UsageError(f"{name} has no quality to choose", argument="crf")
    if how.crf is not None and not 0 <= how.crf <= codec.worst:
        raise UsageError(f"{name}'s quality is 0 to {codec.worst}, not {how.crf}", argument="crf")
    if how.bits is not None and how.bits not in codec.formats:
        bits = " or ".join(map(str, codec.formats))
        raise UsageError(f"{name} takes {bits} bits, not {how.bits}", argument="bits")
