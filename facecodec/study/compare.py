"""Compare: one clip through facecodec and through conventional encoders, on the same squares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from facecodec.arguments import whole
from facecodec.atomic import scratch_folder
from facecodec.avatar.identity import identity_for
from facecodec.bitstream import open_stream
from facecodec.clip.scan import Span
from facecodec.decoding.stream import Stream
from facecodec.encoding.encode import encode
from facecodec.encoding.presets import Preset
from facecodec.errors import UsageError
from facecodec.face.crop import crop, resize
from facecodec.metrics.bdrate import bd_rate
from facecodec.metrics.evaluate import MEASURED_PIXELS, evaluate, trace_of
from facecodec.metrics.evaluation import Settings
from facecodec.metrics.measures import MEASURES
from facecodec.metrics.trace import Trace
from facecodec.progress import Progress, silent
from facecodec.study import rivals
from facecodec.study.evaluate import Options, rendered
from facecodec.types import Picture
from facecodec.video.reader import VideoReader

CODECS = ("x264", "x265", "svtav1", "vp9")
RATES_KBPS = (5.0, 10.0, 20.0, 40.0)  # kbps
PICTURE_SCALES = (1.0, 0.25)
RATE_LENGTHS_SECONDS = (10.0, 60.0)  # of clips for which the rate is told
COMPARED_MEASURES = ("psnr_face", "ssim_face", "identity", "rho_au", "rho_gaze", "rho_pose", "yaw",
                     "pitch", "mouth_opening", "eye_opening", "lip_error", "jitter")  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One encoding of the clip.

    bytes: all of it, without audio; `once` of them are paid once however long the clip is (identity
    and headers; the first frame of a conventional encoder). kbps: over the clip itself. at: the
    rate, in kbps, of a clip of that many seconds of the same motion, by that arithmetic.
    """

    codec: str
    scale: float
    bytes: int
    once: int
    kbps: float
    at: dict[str, float]
    values: dict[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """All points of a clip, and BD-rates against the first conventional codec where defined."""

    source: str
    frames: int
    seconds: float
    size: tuple[int, int]
    points: list[Point]
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return numbers and texts only."""
        return asdict(self)


def compare(
    source: str | Path,
    *,
    streams: Sequence[str | Path] = (),
    codecs: Sequence[str] = CODECS,
    rates: Sequence[float] = RATES_KBPS,
    scales: Sequence[float] = PICTURE_SCALES,
    lengths: Sequence[float] = RATE_LENGTHS_SECONDS,
    max_frames: int = 300,
    preset: str | Preset = "medium",
    options: Options | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Put a clip through facecodec and through conventional encoders at several rates and sizes.

    source: a video file. streams: `.fcv` files already made of this clip; it is encoded with
    `preset` (a name or a `Preset`) when there are none. codecs: of 'x264', 'x265', 'svtav1' and
    'vp9'. rates: wanted kbps. scales: at 0.25 the clip is encoded at a quarter of its width and
    height and scaled up again for comparison. lengths: seconds for which a rate is extrapolated.
    max_frames: at most this many. options, progress: see `facecodec.evaluate`; its identity file
    is that of `streams`.
    The squares compared are those of the first stream's placement track, for everyone.
    Raises UsageError for an unknown codec or a stream of another clip, and what `facecodec.encode`
    raises.
    """
    options, max_frames = options or Options(), whole(max_frames, "max_frames", 1)
    if options.identity and not streams:
        raise UsageError("an identity file is for streams that are given", argument="identity")
    for name in codecs:
        rivals.encoder_named(name)
    with ExitStack() as stack:
        if not streams:
            made = stack.enter_context(scratch_folder()) / "facecodec.fcv"
            encode(source, made, preset=preset, rig=options.rig, device=options.device,
                   max_frames=max_frames, audio=False, progress=progress)  # fmt: skip
            streams = [made]
        paths, source = [Path(stream) for stream in streams], Path(source)
        clip = _Clip(stack.enter_context(VideoReader(source)), paths[0], max_frames, options)
        points = [_stream_point(clip, path, lengths) for path in paths]
        jobs = [(name, scale, rate) for name in codecs for scale in scales for rate in rates]
        for i, (name, scale, rate) in enumerate(jobs):
            points.append(_rival_point(clip, name, scale, rate, lengths))
            progress("conventional codecs", i + 1, len(jobs))
    points = _distinct(points)
    return Comparison(
        source.name, clip.total, round(clip.seconds, 3), clip.size, points, notes(points)
    )


class _Clip:
    """The frames to encode and the squares to compare, each made once."""

    def __init__(
        self, reader: VideoReader, stream: Path, max_frames: int, options: Options
    ) -> None:
        """Raises UsageError for a stream without placements or with more frames than the video."""
        opened = Stream(stream)
        records = list(islice(opened, max_frames))
        self.where = [record.placement for record in records if record.placement is not None]
        if len(self.where) != len(records):
            raise UsageError(f"{stream}: has no placement track to compare squares by")
        self.options = options
        self.settings = Settings(options.landmarker, identity_every=options.identity_every)
        self.frames = [frame.image for frame in reader.frames(max_frames=len(records))]
        self.total = len(records)
        if len(self.frames) < self.total:
            raise UsageError(f"{stream}: has more frames than {reader.path}")
        self.size = (reader.width, reader.height)
        header = opened.reader.header
        span = (records[-1].pts - records[0].pts) * float(header.time_base)
        self.rate = reader.rate or header.frame_rate or Fraction(30)
        self.seconds = span + 1 / float(self.rate)
        self.squares = list(self.seen(iter(self.frames)))
        self.trace: Trace = trace_of(self.squares, self.settings)
        self._scaled: dict[tuple[int, int], list[Picture]] = {}

    def seen(self, frames: Iterator[Picture]) -> Iterator[Picture]:
        """Yield the squares [S, S, 3] of frames [H, W, 3] of the clip's size."""
        for frame, where in zip(frames, self.where, strict=True):
            yield crop(frame, where, MEASURED_PIXELS)

    def at_size(self, size: tuple[int, int]) -> list[Picture]:
        """Return the frames [H, W, 3] scaled to a size; the last size is kept."""
        if size not in self._scaled:
            self._scaled = {size: [resize(frame, size) for frame in self.frames]}
        return self._scaled[size]

    def measure(self, squares: Iterator[Picture]) -> dict[str, float | None]:
        """Return the values of decoded squares [S, S, 3]."""
        result = evaluate(self.squares, squares, self.settings, known=self.trace)
        return {name: result[name] for name in COMPARED_MEASURES}


def _stream_point(clip: _Clip, path: Path, lengths: Sequence[float]) -> Point:
    size, once = stream_bytes(path, clip.options)
    span = Span(max_frames=clip.total)
    squares = (picture for _, picture in rendered(path, span, clip.options))
    return _point(path.stem, 1.0, size, once, clip, squares, lengths)


def stream_bytes(path: Path, options: Options) -> tuple[int, int]:
    """Return the bytes of a stream without its audio, and those of them that are paid once.

    Those of the `.fci` file that it may refer to count among them.
    """
    with open_stream(path) as stream:
        split = stream.rate_split()
        person = None
        if stream.identity_reference is not None:
            person = identity_for(stream, options.identity)
    size = path.stat().st_size - split.audio_bytes + (len(person.pack()) if person else 0)
    return size, size - split.controls_bytes - split.placement_bytes


def _rival_point(
    clip: _Clip, name: str, scale: float, kbps: float, lengths: Sequence[float]
) -> Point:
    size = rivals.even(clip.size, scale)
    small = clip.at_size(size)
    made = rivals.encode_at_rate(lambda: small, name, size, clip.rate, kbps, clip.seconds)
    squares = clip.seen(rivals.decoded(made, clip.size))
    return _point(name, scale, made.bytes, made.first, clip, squares, lengths)


def _point(
    codec: str,
    scale: float,
    size: int,
    once: int,
    clip: _Clip,
    squares: Iterator[Picture],
    lengths: Sequence[float],
) -> Point:
    at = {
        f"{length:g}": round((once + (size - once) * length / clip.seconds) * 8e-3 / length, 3)
        for length in lengths
    }
    kbps = round(size * 8e-3 / clip.seconds, 3)
    return Point(codec, scale, size, once, kbps, at, clip.measure(squares))


def _distinct(points: list[Point]) -> list[Point]:
    """Leave out repeated encodings: two wanted rates below what a codec can do give the same."""
    distinct: dict[tuple[str, float, int], Point] = {}
    for point in points:
        distinct.setdefault((point.codec, point.scale, point.bytes), point)
    return list(distinct.values())


def notes(points: list[Point], measures: Sequence[str] = ("psnr_face", "identity")) -> list[str]:
    """Return facecodec's BD-rates against each conventional curve, and where there is none, why.

    Each is told for the clip and, since the identity is paid once, for the longest of `Point.at`.
    """
    curves: dict[str, list[Point]] = {}
    for point in points:
        conventional = point.codec in rivals.ENCODERS
        name = f"{point.codec} at {point.scale:g}" if conventional else "facecodec"
        curves.setdefault(name, []).append(point)
    ours = curves.pop("facecodec", [])
    return [_note(m, name, curve, ours) for name, curve in curves.items() for m in measures]


def _note(measure: str, name: str, curve: list[Point], ours: list[Point]) -> str:
    up = MEASURES[measure].better == "higher"
    title = MEASURES[measure].title.split(",")[0].split(":")[0]
    known = [[p for p in c if p.values[measure] is not None] for c in (curve, ours)]
    if not all(known):
        return f"{title}: no BD-rate against {name}: it was not measured"
    if len(known[1]) < 2:
        return f"{title}: no BD-rate against {name}: facecodec has one point only"

    def saved(rate: Callable[[Point], float]) -> float | None:
        rows = [[(rate(p), p.values[measure] or 0.0) for p in c] for c in known]
        return bd_rate(rows[0], rows[1], up)

    here = saved(lambda p: p.kbps)
    if here is None:
        return f"{title}: no BD-rate against {name}: they reach no common quality"
    text = f"{title}: facecodec needs {_percent(here)} bytes than {name} (BD-rate)"
    length = max(ours[0].at, key=float, default="")
    longer = saved(lambda p: p.at[length]) if length else None
    return text if longer is None else f"{text}; {_percent(longer)} over {length} s"


def _percent(saved: float) -> str:
    return f"{abs(saved):.0f} % {'more' if saved > 0 else 'fewer'}"
