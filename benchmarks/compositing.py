"""The seam of decoded heads in their source's frames: how much of the edge shows, and flickers.

    python benchmarks/compositing.py CLIP=STREAM.fcv ... --json benchmarks/results/compositing.json

Streams with a context are decoded into the source's frame in two ways: as a square that fades at
its edge, and by the matte. Of each: the gradient across the edge, in grey levels a pixel, of the
composite and of the source at the same place; and the second difference of the edge over time.
`facecodec/metrics/seam.py` has the definitions. Also the milliseconds that laying a frame takes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import facecodec
from facecodec.bitstream import AudioPacket, ContextPictures, open_stream
from facecodec.compositing.alpha import Alpha, feathered, head_alpha
from facecodec.compositing.compositor import Compositor, coverage
from facecodec.decoding.canvas import Canvas
from facecodec.decoding.steady import steadied
from facecodec.face.alignment import Alignment
from facecodec.metrics.seam import rim_flicker, rim_gradient
from facecodec.types import Picture
from facecodec.video.reader import VideoReader

MEASURES = ("seam", "seam of the source", "flicker", "flicker of the source")


class Squares(Compositor):
    """Lays whole squares, which fade at their edges."""

    def lay(
        self,
        frame: Picture,
        square: Picture,
        place: Alignment,
        alpha: Alpha | None = None,
        light: Tensor | None = None,
        trust: Tensor | None = None,
    ) -> Picture:
        """Return a frame with a square laid over it."""
        return super().lay(frame, square, place, feathered(square.shape[0]))


def measured(clip: Path, stream: Path, way: str, count: int) -> dict[str, float]:
    """Return the measures of the first frames of a clip: `way` is "square" or "matte"."""
    reader, avatar = open_stream(stream), facecodec.Avatar.from_stream(stream)
    canvas = Canvas(reader.header, "source", None, avatar.side(None), reader.context_plate)
    if way == "square":
        canvas.compositor = Squares()
    made: deque[Picture] = deque(maxlen=3)
    real: deque[Picture] = deque(maxlen=3)
    covers: deque[NDArray[np.float32]] = deque(maxlen=3)
    rows: list[list[float]] = []
    spent: list[float] = []
    with VideoReader(clip) as video:
        sources = video.frames()
        squares: dict[int, Picture] = {}
        for item in steadied(reader.items(context=True), reader.header.placement_steps):
            if isinstance(item, ContextPictures):
                canvas.take(item)
            if isinstance(item, ContextPictures | AudioPacket):
                continue
            square = avatar.render(item.controls[None], canvas.needed(item))[0]
            squares[item.index] = square
            begin = time.perf_counter()
            ready = list(canvas.add(square, item))
            spent.append(time.perf_counter() - begin)
            for laid, frame in ready:
                picture, square = next(sources).image, squares.pop(frame.index)
                if frame.placement is None:
                    continue
                alpha = feathered(square.shape[0]) if way == "square" else head_alpha(square)
                place = Alignment.from_array(frame.placement)
                height, width = picture.shape[:2]
                made.append(laid[:height, :width])
                real.append(picture)
                covers.append(coverage(alpha, place, (width, height)))
                if len(made) == 3:
                    edge = covers[1]
                    seams = [rim_gradient(frame[1], edge) for frame in (made, real)]
                    rows.append([*seams, *(rim_flicker(tuple(f), edge) for f in (made, real))])
            if len(spent) >= count:
                break
    means = dict(zip(MEASURES, np.mean(rows, axis=0).tolist(), strict=True))
    return means | {"ms": 1000 * float(np.mean(spent))}


def main() -> None:
    """Print the measures of each clip, and write them where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("pairs", nargs="+", metavar="CLIP=STREAM")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = {}
    for pair in given.pairs:
        clip, _, stream = pair.partition("=")
        for way in ("square", "matte"):
            row = measured(Path(clip), Path(stream), way, given.frames)
            results[f"{Path(clip).stem} {way}"] = row
            print(Path(clip).stem, way, {k: round(v, 2) for k, v in row.items()}, flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
