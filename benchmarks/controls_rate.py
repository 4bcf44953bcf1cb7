"""Rate of the controls coder beside three rivals, all on the same integers.

    python benchmarks/controls_rate.py controls/*.npy --step 0.5
    python benchmarks/controls_rate.py clip.fcv

Input: `.fcv` streams (quantised), or `.npy` files of controls, float [frames, 35], quantised here.
Rivals need `pip install facecodec[benchmarks]`:
- exp-golomb: difference to the frame before, best order for the clip, frames byte-aligned;
- zstd-19: the whole clip at once, best of {values, differences} x {by frame, by control};
- laplace: constriction's range coder, differences, a Laplace scale per control that follows the
  recent magnitudes (best of three speeds), reset every segment as ours is.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import constriction
import numpy as np
import zstandard
from numpy.typing import NDArray

from facecodec.bitstream import StreamReader
from facecodec.bitstream.rangecoder import RangeDecoder, RangeEncoder
from facecodec.bitstream.segment import CONTROLS, INITIAL
from facecodec.bitstream.steps import to_levels
from facecodec.bitstream.tracks import code_track
from facecodec.pipeline.machine import machine

SEGMENT = 60
Levels = NDArray[np.int64]


def differences(levels: Levels) -> Levels:
    return np.diff(levels, axis=0, prepend=np.zeros_like(levels[:1]))


def ours(levels: Levels) -> tuple[int, float, float]:
    """Return bytes, and frames per second of coding and of decoding."""
    size, coding, decoding = 0, 0.0, 0.0
    for first in range(0, len(levels), SEGMENT):
        part = levels[first : first + SEGMENT]
        begin = time.process_time()
        coder = RangeEncoder(INITIAL)
        code_track(coder, CONTROLS, part.shape[1], len(part), part)
        data = coder.finish()
        size += len(data)
        middle = time.process_time()
        coding += middle - begin
        decoder = RangeDecoder(data, INITIAL)
        back = code_track(decoder, CONTROLS, part.shape[1], len(part), None)
        decoding += time.process_time() - middle
        assert np.array_equal(back, part)
    return size, len(levels) / coding, len(levels) / decoding


def exp_golomb(levels: Levels) -> int:
    residuals = differences(levels)
    numbers = np.where(residuals > 0, 2 * residuals - 1, -2 * residuals)
    sizes = []
    for order in range(8):
        width = np.floor(np.log2((numbers >> order) + 1)).astype(int)
        bits = (2 * width + 1 + order).sum(axis=1)
        sizes.append(int(((bits + 7) // 8).sum()))
    return min(sizes)


def zstd(levels: Levels) -> int:
    best = []
    for values in (levels, differences(levels)):
        small = np.abs(values).max() < 128
        data = values.astype(np.int8 if small else np.int16)
        for laid in (data, data.T):
            packed = zstandard.ZstdCompressor(level=19).compress(laid.tobytes())
            best.append(len(packed))
    return min(best)


def laplace(levels: Levels) -> int:
    sizes = []
    for speed in (0.05, 0.1, 0.2):
        words = 0
        for first in range(0, len(levels), SEGMENT):
            residuals = differences(levels[first : first + SEGMENT])
            limit = int(np.abs(residuals).max()) + 1
            model = constriction.stream.model.QuantizedLaplace(-limit, limit)
            coder = constriction.stream.queue.RangeEncoder()
            scale = np.ones(levels.shape[1])
            for row in residuals:
                coder.encode(row.astype(np.int32), model, np.zeros(len(row)), scale)
                scale = (1 - speed) * scale + speed * np.maximum(np.abs(row), 0.05)
            words += len(coder.get_compressed())
        sizes.append(4 * words)
    return min(sizes)


def load(path: Path, step: float) -> Levels:
    """Return the quantised controls of a stream or of an .npy file."""
    if path.suffix == ".fcv":
        with path.open("rb") as file:
            stream = StreamReader(file)
            controls = np.stack([frame.controls for frame in stream])
        return to_levels(controls, stream.header.control_steps)
    controls = np.load(path)
    return to_levels(controls, np.full(controls.shape[1], step, np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--step", type=float, default=0.5, help="quantiser step for .npy input")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    print(f"{'bytes a frame':24} {'frames':>6} {'ours':>7} {'exp-g':>7} {'zstd':>7} {'laplace':>7}"
          f" {'ours is smaller by':>24} {'frames/s coded, decoded':>24}")  # fmt: skip
    total = np.zeros(5)
    clips = []
    for path in options.inputs:
        levels = load(path, options.step)
        size, *speeds = ours(levels)
        sizes = np.array([size, exp_golomb(levels), zstd(levels), laplace(levels)])
        total += [len(levels), *sizes]
        names = ("bytes", "exp_golomb_bytes", "zstd_bytes", "laplace_bytes")
        facts = {"clip": path.stem, "frames": len(levels)} | dict(
            zip(names, sizes.tolist(), strict=True)
        )
        clips.append(facts | {"frames_per_second": {"coding": speeds[0], "decoding": speeds[1]}})
        report(path.stem, len(levels), sizes, f"{speeds[0]:12.0f} {speeds[1]:11.0f}")
    report("all", int(total[0]), total[1:], "")
    if options.json:
        facts = {"machine": machine(), "segment_frames": SEGMENT, "clips": clips}
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


def report(name: str, frames: int, sizes: NDArray[np.floating], speed: str) -> None:
    rates = " ".join(f"{size / frames:7.2f}" for size in sizes)
    saved = " ".join(f"{1 - sizes[0] / rival:7.1%}" for rival in sizes[1:])
    print(f"{name[:24]:24} {frames:6} {rates} {saved} {speed}")


if __name__ == "__main__":
    main()
