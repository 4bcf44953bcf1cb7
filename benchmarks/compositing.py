"""The seam of decoded heads in their source's frames: how much of the edge shows, and flickers.

    python benchmarks/compositing.py CLIP=STREAM.fcv ... --json benchmarks/results/compositing.json

Every frame of a stream is laid over its source's frame, from which the head was taken out, in two
ways: as a square that fades at its edge, and by the matte. Of each: the gradient across the edge,
composite over source (1: no more of an edge than the source has there), and the second difference
of the edge over time, composite over source (1: as steady as the source);
`facecodec/metrics/seam.py` has the definitions. Also the milliseconds that laying a frame takes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import facecodec
from facecodec.compositing.alpha import feathered, head_alpha
from facecodec.compositing.compositor import Compositor, coverage
from facecodec.compositing.room import without_head
from facecodec.metrics.seam import rim_flicker, rim_gradient
from facecodec.video.reader import VideoReader

WAYS = ("square", "matte")


def measured(clip: Path, stream: Path, count: int) -> dict[str, dict[str, float]]:
    """Return the measures of the first frames of a clip, for each way."""
    rows: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    spent = dict.fromkeys(WAYS, 0.0)
    compositors = {way: Compositor() for way in WAYS}
    last: dict[str, list[np.ndarray]] = {way: [] for way in (*WAYS, "source")}
    covers: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    opened = facecodec.open(stream)
    with VideoReader(clip) as reader:
        for frame, source in zip(list(opened)[:count], reader.frames(), strict=False):
            if frame.placement is None:
                continue
            square, picture = opened.avatar.render(frame.controls[None])[0], source.image
            size = (picture.shape[1], picture.shape[0])
            plate = without_head(picture, frame.placement)
            last["source"] = [*last["source"][-2:], picture]
            for way in WAYS:
                alpha = feathered(square.shape[0]) if way == "square" else None
                begin = time.perf_counter()
                made = compositors[way].lay(plate, square, frame.placement, alpha)
                spent[way] += time.perf_counter() - begin
                own = head_alpha(square) if alpha is None else alpha
                covered = coverage(own, frame.placement, size)
                last[way] = [*last[way][-2:], made]
                covers[way] = [*covers[way][-2:], covered]
                row = [rim_gradient(made, covered), rim_gradient(picture, covered)]
                if len(last[way]) == 3:
                    row += [rim_flicker(p, covers[way][1]) for p in (last[way], last["source"])]
                    rows[way].append(row)
    result = {}
    for way in WAYS:
        means = np.mean(rows[way], axis=0)
        result[way] = {
            "seam": float(means[0] / means[1]),
            "flicker": float(means[2] / means[3]),
            "ms": 1000 * spent[way] / (len(rows[way]) + 2),
        }
    return result


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
        results[Path(clip).stem] = measured(Path(clip), Path(stream), given.frames)
        print(Path(clip).stem, json.dumps(results[Path(clip).stem]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
