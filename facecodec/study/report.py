"""Report: render a stream, compare it where there is a reference, gather what a page shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.atomic import scratch_folder
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import AudioPacket, FrameRecord, StreamReader
from facecodec.decoding.span import limited
from facecodec.decoding.stream import Stream
from facecodec.errors import StreamError, UsageError
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.metrics.evaluate import MEASURED_PIXELS, evaluate
from facecodec.metrics.evaluation import Evaluation
from facecodec.progress import Progress, silent
from facecodec.rig.regions import Region
from facecodec.study.evaluate import Options, settings_of
from facecodec.types import Picture
from facecodec.video.reader import VideoReader
from facecodec.video.still import encode_jpeg
from facecodec.video.writer import Sink, open_sink

PANEL_PIXELS = 512  # side of each picture in the player
PANEL_QUALITY = 93  # of a JPEG
THUMBNAIL_PIXELS = 128  # side of the pictures of what a control does
NUM_WORST_FRAMES = 4  # worst frames shown
MAX_SPREAD_FRAMES = 12  # that fit into a clip at the distance kept between worst frames
# standard deviations a control is moved to show what it does: one channel alone does little
TURN, AMOUNT = 2.0, 4.0
DIFFERENCE_GAIN = 3  # differences are shown this many times stronger


@dataclass(frozen=True)
class Report:
    """What the page shows.

    video: an mp4 of the decoded square, or of reference, decoded and difference side by side.
    names: the titles of the controls.
    effects: of each control the JPEGs, moved down and up; identity: at controls 0. worst: frame
    number and JPEG of reference, decoded and difference. evaluation: None without a reference.
    """

    name: str
    reference: str | None
    facts: dict[str, str]
    split: dict[str, int]
    seconds: float
    times: list[float]
    controls: NDArray[np.float32]
    flags: list[int]
    names: tuple[str, ...]
    regions: tuple[str, ...]
    video: bytes
    identity: bytes
    effects: list[tuple[bytes, bytes]]
    evaluation: Evaluation | None
    worst: list[tuple[int, bytes]]
    damage: list[str]


def gather(
    source: Path,
    reference: Path | None = None,
    *,
    identity: Path | None = None,
    max_frames: int = 900,
    options: Options | None = None,
    progress: Progress = silent,
) -> Report:
    """Read, render and measure a `.fcv`.

    reference: the video it was made of, from its first frame on. max_frames: a page holds its
    whole video, so that long streams are cut. Raises what `decode` raises, and UsageError when
    the reference has fewer frames or the stream has no placement track.
    """
    options = options or Options()
    stream = Stream(source, identity=identity, rig=options.rig, device=options.device)
    items = list(limited(stream.reader.items(), max_frames, stream.reader))
    frames = [item for item in items if isinstance(item, FrameRecord)]
    if not frames:
        raise StreamError(f"{source}: holds no frames")
    with scratch_folder() as folder, ExitStack() as stack:
        video = folder / "player.mp4"
        panels = _Panels(stream, items, stack, video, reference)
        evaluation = None
        if reference is None:
            for i, _ in enumerate(panels.decoded()):
                progress("rendering", i + 1, len(frames))
        else:
            evaluation = evaluate(
                panels.references(),
                panels.decoded(),
                settings_of(options),
                progress=progress,
                total=len(frames),
            )
        stack.close()
        content = video.read_bytes()
    at_rest, effects = _effects(stream.avatar, progress)
    header = stream.reader.header
    base, split = header.time_base, stream.reader.rate_split()
    span = Fraction(frames[-1].pts - frames[0].pts) * base
    step = 1 / header.frame_rate if header.frame_rate else Fraction(0)
    ranked = evaluation.worst if evaluation else []
    worst = apart(ranked, len(frames) // MAX_SPREAD_FRAMES, NUM_WORST_FRAMES)
    return Report(
        name=source.name,
        reference=reference.name if reference else None,
        facts=_facts(stream.reader),
        split={name: int(value) for name, value in asdict(split).items()},
        seconds=float(span + step),
        times=[round(float((frame.pts - frames[0].pts) * base), 6) for frame in frames],
        controls=np.stack([frame.controls for frame in frames]),
        flags=[int(frame.flags) for frame in frames],
        names=stream.avatar.rig.shown_titles,
        regions=stream.avatar.rig.regions,
        video=content,
        identity=at_rest,
        effects=effects,
        evaluation=evaluation,
        worst=[(i, panels.kept[i]) for i in worst],
        damage=[str(damage) for damage in stream.reader.damage],
    )


class _Panels:
    """Renders every frame once; writes the player's video and keeps a small picture of each."""

    def __init__(
        self,
        stream: Stream,
        items: list[FrameRecord | AudioPacket],
        stack: ExitStack,
        video: Path,
        reference: Path | None,
    ) -> None:
        self._stream, self._items, self._last = stream, items, np.zeros(0, np.uint8)
        self._reader = stack.enter_context(VideoReader(reference)) if reference else None
        self.kept: list[bytes] = []
        header = stream.reader.header
        avatar = stream.avatar
        self._side = side = avatar.side(min(PANEL_PIXELS, avatar.resolution))
        width = side * (3 if reference else 1)
        self._start = next(item.pts for item in items if isinstance(item, FrameRecord))
        self._sink: Sink = stack.enter_context(
            open_sink(str(video), (width, side), header.time_base, header.frame_rate,
                      stream.reader.audio)
        )  # fmt: skip

    def references(self) -> Iterator[Picture]:
        """Yield the squares [S, S, 3] of the reference, at the placements of the stream.

        Raises UsageError for a stream without placements or a reference with fewer frames.
        """
        assert self._reader is not None
        records = [item for item in self._items if isinstance(item, FrameRecord)]
        first = records[0].pts * self._stream.reader.header.time_base - self._reader.begin
        count = 0
        for frame, record in zip(self._reader.frames(first), records, strict=False):
            if record.placement is None:
                raise UsageError(f"{self._stream.name}: no placement to compare squares by")
            where = Alignment.from_array(record.placement)
            self._last = crop(frame.image, where, self._side)
            count += 1
            # Measured on the square that `evaluate` would cut, not on the larger one shown.
            yield crop(frame.image, where, MEASURED_PIXELS)
        if count < len(records):
            raise UsageError(
                f"{self._reader.path}: has {count} frames, the stream {len(records)}; is it the "
                "video the stream was made of?"
            )

    def decoded(self) -> Iterator[Picture]:
        """Yield the rendered squares [S, S, 3], each after its reference was asked for."""
        for item in self._items:
            if isinstance(item, AudioPacket):
                self._sink.write_audio(item)
                continue
            picture = self._stream.avatar.render(item.controls[None], self._side)[0]
            row = picture
            if self._reader is not None:
                apart = np.abs(picture.astype(np.int16) - self._last) * DIFFERENCE_GAIN
                row = np.concatenate([self._last, picture, apart.clip(0, 255).astype(np.uint8)], 1)
                self.kept.append(encode_jpeg(_halved(row)))
            self._sink.write(row, item.pts)
            yield picture


def apart(order: Sequence[int], distance: int, count: int) -> list[int]:
    """Return the first `count` frame numbers of `order` that lie more than `distance` apart."""
    kept: list[int] = []
    for number in order:
        if len(kept) < count and all(abs(number - other) > distance for other in kept):
            kept.append(number)
    return kept


def _halved(picture: Picture) -> Picture:
    """Return a picture at half its width and height."""
    height, width = picture.shape[:2]
    quads = picture.reshape(height // 2, 2, width // 2, 2, 3)
    result: Picture = quads.mean((1, 3)).round().astype(np.uint8)
    return result


def amount_of(region: str) -> float:
    """Return how far a control of this region is moved to show what it does."""
    return TURN if region in (Region.POSE, Region.EXPRESSION) else AMOUNT


def _effects(avatar: Avatar, progress: Progress) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the person at controls 0, and with each control moved down and up, as JPEG."""
    side = min(THUMBNAIL_PIXELS, avatar.resolution)
    count = avatar.num_controls
    pairs = []
    for i in range(count):
        controls = np.zeros((2, count), np.float32)
        controls[1, i] = amount_of(avatar.rig.regions[i])
        controls[0, i] = -controls[1, i]
        low, high = (encode_jpeg(picture) for picture in avatar.preview(controls, side))
        pairs.append((low, high))
        progress("control sheet", i + 1, count)
    size = avatar.side(min(PANEL_PIXELS, avatar.resolution))
    at_rest = avatar.render(np.zeros((1, count), np.float32), size)[0]
    return encode_jpeg(at_rest, PANEL_QUALITY), pairs


def _facts(stream: StreamReader) -> dict[str, str]:
    header = stream.header
    rate = header.frame_rate
    facts = {
        "source": f"{header.width} × {header.height}"
        + (f", {float(rate):.3f}".rstrip("0").rstrip(".") + " frames a second" if rate else ""),
        "generator": f"{header.generator_name} ({header.generator_sha256.hex()[:12]})",
        "rig": header.rig_sha256.hex()[:12],
        "renders at": f"{header.resolution} × {header.resolution}",
        "controls": f"{header.num_controls}, {header.precision}"
        + (f" at quality {header.quality}" if header.precision == "quantised" else ""),
        "audio": stream.audio.codec if stream.audio else "none",
        "made by": header.creator,
    }
    return facts | dict(header.metadata)
