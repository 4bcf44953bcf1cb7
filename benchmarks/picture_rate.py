"""What quantising for a person saves: bytes a frame, and what is lost in the picture.

    python benchmarks/picture_rate.py EXACT=STREAM ... --json benchmarks/results/picture_rate.json

Input: pairs of streams of one clip's motion, tracked alike: with exact controls (`facecodec encode
--precision f32`), and quantised as `encode` does. The exact controls are also rounded to the
rig's steps, as streams were before. All three are drawn at 256 pixels in pairs of neighbouring
frames, and held against the exact ones.

Printed: bytes a frame of the controls; the root mean square by which pictures differ from those of
exact controls, in levels of 255: in the inner face (the middle 60 % of the square each way), in the
band of the eyes and in that of the mouth; and of how that difference changes to the next frame,
which is what flickers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from saved import save

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import control_steps, open_stream
from facecodec.bitstream.coding.range_coder import RangeEncoder
from facecodec.bitstream.coding.segment import CONTROLS, INITIAL
from facecodec.bitstream.coding.steps import from_levels, to_levels
from facecodec.bitstream.coding.timing import usual_frames
from facecodec.bitstream.coding.tracks import code_track

PIXELS = 256
# Rows and columns of the square, as shares of its side.
PARTS = {
    "inner face": ((0.2, 0.8), (0.2, 0.8)),
    "eyes": ((0.4, 0.54), (0.22, 0.78)),
    "mouth": ((0.62, 0.78), (0.3, 0.7)),
}
Controls = NDArray[np.float32]


def coded_bytes(controls: Controls, steps: NDArray[np.float32], segment: int) -> int:
    """Return the bytes of controls [T, K] in segments of so many frames."""
    levels, size = to_levels(controls, steps), 0
    for first in range(0, len(levels), segment):
        part = levels[first : first + segment]
        coder = RangeEncoder(INITIAL)
        code_track(coder, CONTROLS, part.shape[1], len(part), part)
        size += len(coder.finish())
    return size


def pictures(avatar: Avatar, controls: Controls, frames: list[int]) -> NDArray[np.float64]:
    """Return the squares of some frames, [N, S, S, 3]."""
    drawn = [avatar.render(controls[i][None], PIXELS)[0] for i in frames]
    return np.stack(drawn).astype(np.float64)


def root_mean_square(difference: NDArray[np.float64], part: str) -> float:
    """Return that of differences [N, S, S, 3] in a part of the square."""
    (top, bottom), (left, right) = PARTS[part]
    rows = slice(round(top * PIXELS), round(bottom * PIXELS))
    columns = slice(round(left * PIXELS), round(right * PIXELS))
    return float(np.sqrt(np.mean(difference[:, rows, columns] ** 2)))


def measure(exact_file: Path, stream_file: Path, every: int) -> dict[str, dict[str, float]]:
    """Return what rounding and the stream take and lose."""
    with open_stream(exact_file) as exact, open_stream(stream_file) as stream:
        avatar = Avatar.from_stream(exact)
        header, rig = stream.header, avatar.rig
        controls, made = (np.stack([f.controls for f in read]) for read in (exact, stream))
    if controls.shape != made.shape:
        raise SystemExit(f"{stream_file}: not of the frames of {exact_file}")
    plain = control_steps(rig.steps, header.quality)
    ways = {
        "rounded": (from_levels(to_levels(controls, plain), plain), plain),
        "for the person": (made, header.control_steps),
    }
    frames = [i + k for i in range(0, len(controls) - 1, every) for k in (0, 1)]
    shown = pictures(avatar, controls, frames)
    found = {}
    for way, (rows, steps) in ways.items():
        difference = pictures(avatar, rows, frames) - shown
        size = coded_bytes(rows, steps, usual_frames(header))
        figures = {"bytes a frame": size / len(rows)}
        figures |= {part: root_mean_square(difference, part) for part in PARTS}
        figures["flicker"] = root_mean_square(difference[1::2] - difference[::2], "inner face")
        found[way] = figures
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("pairs", nargs="+", metavar="EXACT=STREAM")
    parser.add_argument("--every", type=int, default=6, help="draw a pair every so many frames")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    found = {}
    for pair in options.pairs:
        exact, _, stream = pair.rpartition("=")
        name = Path(stream).name.split(".")[0]
        found[name] = measure(Path(exact), Path(stream), options.every)
        for way, figures in found[name].items():
            print(name, way, "  ".join(f"{what} {value:.2f}" for what, value in figures.items()))
    columns = list(next(iter(found.values()))["rounded"])
    rows = [
        [clip, *(f"{ways['rounded'][c]:.2f} → {ways['for the person'][c]:.2f}" for c in columns)]
        for clip, ways in found.items()
    ]
    mean = [
        " → ".join(
            f"{np.mean([ways[way][c] for ways in found.values()]):.2f}"
            for way in ("rounded", "for the person")
        )
        for c in columns
    ]
    rows.append(["mean", *mean])
    command = f"python benchmarks/picture_rate.py EXACT=STREAM ... --every {options.every} "
    command += "--json benchmarks/results/picture_rate.json"
    save(options.json, command, table={"columns": ["clip", *columns], "rows": rows}, clips=found)


if __name__ == "__main__":
    main()
