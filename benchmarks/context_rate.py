"""What a context's rate buys: how many pictures a second, how large, and what the plate saves.

    python benchmarks/context_rate.py CLIP=STREAM ... --json benchmarks/results/context_rate.json

A stream says where the face is in its clip. Contexts of several plans are coded at the same rates,
shown as `facecodec decode` does, and compared with the clip's own frames where the face does not
hide them: PSNR in dB, the mean over every `EVERY`th frame and over clips. The last columns are the
usual plan with a key frame in each segment in place of a plate for all, and with the face left in.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from saved import save

from facecodec.bitstream import ContextPictures, ContextPlate, open_stream
from facecodec.bitstream.coding.timing import usual_frames
from facecodec.context.av1 import CODEC, QUANTISERS, encode_after
from facecodec.context.fill import continued, face_place, plate_of
from facecodec.context.make import PICTURE_BYTES, MadeContext, make_context, shrunk
from facecodec.context.plan import ContextPlan, picture_size, plan_context
from facecodec.context.view import ContextView
from facecodec.editing.context import StreamSource
from facecodec.face.alignment import Alignment
from facecodec.progress import silent
from facecodec.types import Picture
from facecodec.video.reader import Frame, VideoReader

EVERY = 16  # frames from one that is compared to the next
RATES = (4_000, 8_000, 16_000)  # bits a second
PICTURES = (3, 6, 12)  # a second
PIXELS = (5, 10)  # of a picture, for each bit a second
COMMAND = "python benchmarks/context_rate.py CLIP=STREAM ..."


class Kept:
    """The frames of a stream's source, read once."""

    def __init__(self, clip: Path, stream: Path) -> None:
        """Read them."""
        with open_stream(stream) as opened, VideoReader(clip) as video:
            source = StreamSource(opened, video)
            self.width, self.height, self.duration = source.width, source.height, source.duration
            self.alignments: list[Alignment] = source.alignments
            self.rate = opened.header.frame_rate or Fraction(25)
            self.segment_frames = usual_frames(opened.header)
            self._frames = list(source.frames())

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order."""
        yield from self._frames

    def quality(self, made: MadeContext) -> float:
        """Return the mean PSNR in dB of what a context shows beside the face."""
        size = self.width, self.height
        failures: list[str] = []
        view = ContextView(made.plate, size, failures.append)
        decibels = []
        for i, frame in enumerate(self._frames):
            if i % self.segment_frames == 0 and (part := next(made.parts, None)):
                view.take(part)
            shown = view.at(frame.pts)
            if i % EVERY == EVERY // 2 and shown is not None:
                seen = ~face_place(self.alignments[i], (1, 1), size)
                error = (shown.astype(np.float32) - frame.image)[seen]
                decibels.append(-10 * np.log10(float(np.square(error / 255).mean())))
        assert not failures, failures
        return float(np.mean(decibels))


def with_keys(clip: Kept, plan: ContextPlan) -> MadeContext:
    """Return a context whose segments each begin with a key frame, at the same rate."""
    pictures: list[Picture] = []
    for i, frame in enumerate(clip.frames()):
        if i % clip.segment_frames % plan.step == 0:
            pictures.append(shrunk(frame.image, plan.size))
    per_segment = ceil(clip.segment_frames / plan.step)
    scale = plan.size[0] / clip.width, plan.size[1] / clip.height
    numbers = [i for i in range(len(clip)) if i % clip.segment_frames % plan.step == 0]
    hidden = [face_place(clip.alignments[i], scale, plan.size) for i in numbers]
    plate = plate_of(np.stack(pictures), np.stack(hidden))
    painted = [continued(p, plate, h) for p, h in zip(pictures, hidden, strict=True)]
    groups = [painted[i : i + per_segment] for i in range(0, len(painted), per_segment)]
    low, high = QUANTISERS
    best: list[list[bytes]] = []
    while low <= high:
        quantiser = (low + high) // 2
        coded = [encode_after(group[0], group[1:], quantiser, plan.rate) for group in groups]
        if sum(len(packet) + PICTURE_BYTES for group in coded for packet in group) <= plan.bytes:
            best, high = coded, quantiser - 1
        else:
            low = quantiser + 1
    pts = [frame.pts for frame in clip.frames()]
    times = [
        [pts[i] for i in numbers[a : a + per_segment]] for a in range(0, len(numbers), per_segment)
    ]
    # a key frame decodes after any plate
    data = best[0][0]
    parts = (ContextPictures(tuple(t), tuple(c)) for t, c in zip(times, best, strict=True))
    return MadeContext(ContextPlate(CODEC, *plan.size, data), parts, 0.0)


def with_face(clip: Kept, plan: ContextPlan) -> MadeContext:
    """Return a context from which the face is not taken out."""
    nothing = clip.alignments
    clip.alignments = [Alignment(-9e5, -9e5, 1, 0)] * len(clip)
    try:
        made = make_context(clip, plan, clip.segment_frames, silent)
        return MadeContext(made.plate, iter(list(made.parts)), made.moving)
    finally:
        clip.alignments = nothing


def measured(clip: Kept, rate: int) -> list[float]:
    """Return the qualities of all plans at one rate, in the order of the table's columns."""
    usual = plan_context(rate, (clip.width, clip.height), clip.rate, clip.duration)
    plans = []
    for pictures in PICTURES:
        step = max(1, round(clip.rate / pictures))
        plans.append(ContextPlan(usual.size, step, clip.rate / step, usual.bytes))
    for pixels in PIXELS:
        size = picture_size((clip.width, clip.height), pixels * rate)
        plans.append(ContextPlan(size, usual.step, usual.rate, usual.bytes))
    found = [clip.quality(make_context(clip, p, clip.segment_frames, silent)) for p in plans]
    return [*found, clip.quality(with_keys(clip, usual)), clip.quality(with_face(clip, usual))]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", metavar="CLIP=STREAM")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: dict[int, list[NDArray[np.float64]]] = {rate: [] for rate in RATES}
    for pair in given.clips:
        clip, stream = pair.split("=")
        kept = Kept(Path(clip), Path(stream))
        for rate in RATES:
            rows[rate].append(np.array(measured(kept, rate)))
            print(Path(clip).stem, rate, rows[rate][-1].round(2), flush=True)
    columns = ["kbps", *(f"{n} pictures/s" for n in PICTURES), *(f"{n} pixels/bit" for n in PIXELS)]
    columns += ["key frames", "face left in"]
    table = [
        [f"{rate / 1000:g}", *(f"{value:.2f}" for value in np.mean(found, axis=0))]
        for rate, found in rows.items()
    ]
    save(given.json, COMMAND, table={"columns": columns, "rows": table}, clips=len(given.clips))


if __name__ == "__main__":
    main()
