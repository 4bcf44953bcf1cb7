"""Ceilings: how well a softened source agrees with itself, by each measure of the fidelity table.

    python benchmarks/ceiling.py CLIPS --face-landmarker face_landmarker.task \\
        --json benchmarks/results/ceiling.json
    python benchmarks/ceiling.py CLIPS --face-landmarker face_landmarker.task --moved 0.3 \\
        --json benchmarks/results/ceiling_moved.json

A correlation over time is bounded by the noise of whoever reads the signal. The aligned squares of
the source are compared with themselves, halved in size and back, with noise of 4 grey levels: what
no codec of this kind can be expected to exceed. A head that does not turn has no yaw to follow.

With `--moved` the second square of every frame is cut out that many pixels away (of 256, a normal
deviation on either axis). Readers then no longer err alike on both, as they do on equal pixels: the
head is the same, and what is lost is what the readers make of noise.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from saved import save

from facecodec.clip.clip import Clip
from facecodec.clip.scan import SQUARE_PIXELS, Span, cut_squares
from facecodec.face.alignment import Alignment
from facecodec.face.crop import resize
from facecodec.metrics.evaluate import evaluate
from facecodec.metrics.evaluation import Settings
from facecodec.metrics.measures import written
from facecodec.video.reader import VideoReader

MEASURES = ("psnr_face", "ssim_face", "identity", "yaw", "pitch", "mouth_opening", "eye_opening",
            "rho_au", "rho_gaze", "rho_pose")  # fmt: skip
COLUMNS = ["clip", "PSNR face", "SSIM face", "identity", "yaw", "pitch", "mouth", "eyes", "rho_AU",
           "rho_gaze", "rho_pose"]  # fmt: skip
COMMAND = "python benchmarks/ceiling.py CLIPS --face-landmarker face_landmarker.task"
HALF = (128, 128)
NOISE = 4.0  # grey levels


def softened(picture: np.ndarray, noise: np.random.Generator) -> np.ndarray:
    """Return an aligned square at half its detail, with noise."""
    soft = resize(resize(picture, HALF), (SQUARE_PIXELS, SQUARE_PIXELS))
    return np.clip(soft + noise.normal(0, NOISE, soft.shape), 0, 255).astype(np.uint8)


def moved(place: Alignment, pixels: float, noise: np.random.Generator) -> Alignment:
    """Return a square moved by a normal deviation of `pixels` of an aligned picture."""
    x, y = noise.normal(0, pixels * place.size / SQUARE_PIXELS, 2) if pixels else (0.0, 0.0)
    return replace(place, x=place.x + x, y=place.y + y)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--max-frames", type=int, default=150)
    parser.add_argument("--moved", type=float, default=0.0, help="pixels of 256")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    command = COMMAND + (f" --moved {given.moved:g}" if given.moved else "")
    rows: list[dict[str, Any]] = []
    for clip in given.clips:
        span = Span(max_frames=given.max_frames)
        with VideoReader(clip) as reader:
            seen = Clip(reader, span, occlusions=False)
            squares = [picture for _, picture in seen.squares()]
            noise = np.random.default_rng(0)
            other = [moved(place, given.moved, noise) for place in seen.alignments]
            soft = [softened(square, noise) for _, square in cut_squares(seen.frames(), other)]
        result = evaluate(squares, soft, Settings(landmarker=given.face_landmarker))
        rows.append({"clip": clip.stem, "values": {m: result[m] for m in MEASURES}})
        print(clip.stem, *(f"{m} {written(m, result[m])}" for m in MEASURES), flush=True)
        save(given.json, command, table=table(rows), rows=rows)


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a document's table of the rows and their means."""
    lines = [[r["clip"], *(written(m, r["values"][m]) for m in MEASURES)] for r in rows]
    means = {m: [r["values"][m] for r in rows if r["values"][m] is not None] for m in MEASURES}
    lines.append(["mean", *(written(m, float(np.mean(v)) if v else None)
                            for m, v in means.items())])  # fmt: skip
    return {"columns": COLUMNS, "rows": lines}


if __name__ == "__main__":
    main()
