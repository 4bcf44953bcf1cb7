"""Evaluate: align the reference, see the other video in the same squares, measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span, cut_squares
from facecodec.decoding.stream import Stream
from facecodec.errors import UsageError
from facecodec.face.alignment import Alignment, ffhq_alignment, scaled, usual_size, warranted_size
from facecodec.face.crop import crop
from facecodec.face.landmarks import LandmarkFinder
from facecodec.metrics.evaluate import MEASURED_PIXELS, evaluate, evaluate_puppet
from facecodec.metrics.evaluation import IDENTITY_EVERY, Evaluation, Settings
from facecodec.metrics.networks import load as load_networks
from facecodec.models import Device, landmark_finder, require_models
from facecodec.progress import Progress, silent
from facecodec.types import Picture
from facecodec.video.reader import VideoReader

LAYOUTS = ("auto", "frame", "square")
LAYOUT_FRAMES = 30  # frames in which to look for a face before its layout is decided
MAX_SHAPE_DIFFERENCE = 0.02  # relative, of two videos' aspect ratios: sides are rounded to even
MAX_SOURCE_FRAMES = 60  # of a puppet's source are read


@dataclass(frozen=True)
class Options:
    """What both kinds of evaluation take.

    landmarker: MediaPipe's face_landmarker.task. identity_every: the identity is read in every
    n-th frame. rig, device, identity: for `.fcv` files, which are rendered as they are read; see
    `facecodec.decode`.
    """

    landmarker: Path | None = None
    identity_every: int = IDENTITY_EVERY
    rig: Path | None = None
    device: Device = "auto"
    identity: str | Path | None = None


def evaluate_files(
    reference: str | Path,
    distorted: str | Path,
    *,
    aligned: bool = False,
    layout: str = "auto",
    max_frames: int | None = None,
    options: Options | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Compare a video with another of the same frames.

    reference: a video file. distorted: a video file of the same frames, or a `.fcv`, which is
    rendered and whose own placement track is used for both.
    aligned: both already are aligned face squares. Otherwise the reference is aligned, and the
    other is seen in the same squares: `layout` says whether it shows whole frames ('frame', any
    size) or the face squares alone ('square', as `facecodec.decode` writes them); 'auto' looks at
    where its face is. max_frames: at most this many. options: models and devices. progress: called
    with a stage's name, the units done and their number (None if unknown).
    Returns the values of all measures by name, those of every frame, and why a measure is missing.
    Raises NoFaceError when the reference shows no face, UsageError when the lengths differ or
    `layout` is none of these, and what `facecodec.decode` raises for a `.fcv`.
    """
    options = options or Options()
    require_models(person=True)
    if layout not in LAYOUTS:
        raise UsageError(f"no layout {layout!r}; there are: {', '.join(LAYOUTS)}")
    span, reference, distorted = Span(max_frames=max_frames), Path(reference), Path(distorted)
    with ExitStack() as stack:
        before = stack.enter_context(VideoReader(reference))
        if distorted.suffix.lower() == ".fcv":
            a, b, total = _against_stream(before, distorted, span, aligned, options)
        else:
            after = stack.enter_context(VideoReader(distorted))
            total = max_frames or before.frame_count
            if aligned:
                size = warranted_size(min(before.width, before.height))
                a, b = (whole_squares(video, span, size) for video in (before, after))
            else:
                clip = Clip(before, span, occlusions=False, people=False, progress=progress)
                total, size = len(clip), usual_size(clip.alignments)
                a = (picture for _, picture in clip.squares(size))
                b = same_squares(before, after, span, clip.alignments, layout, size)
        return evaluate(a, b, settings_of(options), progress=progress, total=total)


def evaluate_puppet_files(
    source: str | Path,
    driver: str | Path,
    result: str | Path,
    *,
    max_frames: int | None = None,
    options: Options | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Compare a puppet's video with the person of `source` and the motion of `driver`.

    source: a picture, a video or a `.fcv` of the person. driver: a video or a `.fcv`. result: the
    puppet, a video or a `.fcv`. Each is aligned on its own. max_frames, options, progress, and what
    is returned and raised: see `evaluate_files`.
    """
    options = options or Options()
    require_models(person=True)
    span = Span(max_frames=max_frames)
    with ExitStack() as stack:
        first = Span(max_frames=MAX_SOURCE_FRAMES)
        person = list(own_squares(stack, Path(source), first, options, progress))
        motion = own_squares(stack, Path(driver), span, options, progress)
        made = own_squares(stack, Path(result), span, options, progress)
        settings = settings_of(options, puppet=True)
        return evaluate_puppet(person, motion, made, settings, progress=progress, total=max_frames)


def settings_of(options: Options, puppet: bool = False) -> Settings:
    """Return the settings of an evaluation, with the networks that are installed."""
    networks, missing = load_networks(puppet)
    return Settings(options.landmarker, networks, missing, options.identity_every)


def whole_squares(
    reader: VideoReader, span: Span, size: int = MEASURED_PIXELS
) -> Iterator[Picture]:
    """Yield the frames themselves, scaled to [size, size, 3]."""
    for frame in reader.frames(span.start, span.end, span.max_frames):
        yield crop(frame.image, _whole(frame.image), size)


def same_squares(
    before: VideoReader,
    after: VideoReader,
    span: Span,
    alignments: list[Alignment],
    layout: str = "auto",
    size: int = MEASURED_PIXELS,
) -> Iterator[Picture]:
    """Yield the squares of `before` in `after`, [size, size, 3]; see `evaluate_files`."""
    where = _placer(before, after, span, alignments, layout)
    for i, frame in enumerate(after.frames(span.start, span.end, span.max_frames)):
        if i < len(alignments):  # a longer video is refused where the sequences are compared
            yield crop(frame.image, where(i, frame.image), size)
        else:
            yield crop(frame.image, _whole(frame.image), size)


def own_squares(
    stack: ExitStack, path: Path, span: Span, options: Options, progress: Progress
) -> Iterator[Picture]:
    """Yield the squares [S, S, 3] of a video or a picture, or the rendered ones of a `.fcv`."""
    if path.suffix.lower() == ".fcv":
        for _, picture in rendered(path, span, options):
            yield picture
        return
    reader = stack.enter_context(VideoReader(path))
    clip = Clip(reader, span, occlusions=False, people=False, progress=progress)
    for _, picture in clip.squares(MEASURED_PIXELS):
        yield picture


def rendered(
    path: Path, span: Span, options: Options, size: int = MEASURED_PIXELS
) -> Iterator[tuple[Alignment | None, Picture]]:
    """Yield the placement and the rendered square [S, S, 3] of each frame of a `.fcv`."""
    stream = Stream(path, identity=options.identity, rig=options.rig, device=options.device)
    pictures = stream.pictures(size, span.start, span.end)
    for frame, picture in islice(pictures, span.max_frames):
        yield frame.placement, picture


def _against_stream(
    before: VideoReader, path: Path, span: Span, aligned: bool, options: Options
) -> tuple[Iterator[Picture], Iterator[Picture], int | None]:
    """Return the squares of a reference and of the stream that was made of it, and how many."""
    stream = Stream(path)
    total = min(len(stream), span.max_frames or len(stream))
    span = Span(span.start, span.end, total)
    most = max(
        stream.reader.header.resolution, MEASURED_PIXELS
    )  # what the stream's generator draws
    if aligned:
        size = min(warranted_size(min(before.width, before.height)), most)
        decoded = (picture for _, picture in rendered(path, span, options, size))
        return whole_squares(before, span, size), decoded, total
    places = [frame.placement for frame in islice(stream, total)]
    if any(place is None for place in places):
        raise UsageError(f"{path}: has no placement track; compare a decoded video instead")
    alignments = [place for place in places if place is not None]
    frames = islice(before.frames(max_frames=total), len(alignments))
    size = min(usual_size(alignments), most)
    a = (square for _, square in cut_squares(frames, alignments, size))
    return a, (picture for _, picture in rendered(path, span, options, size)), total


def _placer(
    before: VideoReader,
    after: VideoReader,
    span: Span,
    alignments: list[Alignment],
    layout: str,
) -> Callable[[int, Picture], Alignment]:
    """Return what gives the square of frame i in the other video's picture."""
    factor = after.width / before.width

    def framed(i: int, image: Picture) -> Alignment:
        """Return the square of frame i in the same frame [H, W, 3] of another size."""
        return scaled(alignments[i], factor)

    def squared(i: int, image: Picture) -> Alignment:
        """Return the whole of a picture [S, S, 3]."""
        return _whole(image)

    same_shape = abs(after.height / before.height / factor - 1) < MAX_SHAPE_DIFFERENCE
    if layout == "frame" and not same_shape:
        raise UsageError(
            f"{after.path}: {after.width}x{after.height} is no scaled {before.path.name} "
            f"({before.width}x{before.height}); is its layout 'square'?",
            argument="layout",
        )
    if layout == "frame":
        return framed
    if layout == "square" or not same_shape:
        return squared
    return framed if _shows_frames(after, span, framed, landmark_finder()) else squared


def _shows_frames(
    after: VideoReader,
    span: Span,
    framed: Callable[[int, Picture], Alignment],
    find: LandmarkFinder,
) -> bool:
    """Return whether the face is nearer to where whole frames have it than to fill the picture."""
    for i, frame in enumerate(after.frames(span.start, span.end, LAYOUT_FRAMES)):
        points = find(frame.image)
        if points is not None:
            own = ffhq_alignment(points)
            return _distance(own, framed(i, frame.image)) <= _distance(own, _whole(frame.image))
    return True


def _distance(a: Alignment, b: Alignment) -> float:
    """Return how far two squares are apart: centre and size, in units of the first's size."""
    return float(np.hypot(a.x - b.x, a.y - b.y) / a.size + abs(np.log(b.size / a.size)))


def _whole(image: Picture) -> Alignment:
    """Return the largest square in the middle of a picture."""
    height, width = image.shape[:2]
    return Alignment(width / 2, height / 2, min(width, height), 0.0)
