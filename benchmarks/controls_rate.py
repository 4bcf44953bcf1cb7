"""Rate of the controls coder beside three rivals, all on the same integers.

    python benchmarks/controls_rate.py clip.fcv other.fcv --json rates.json
    python benchmarks/controls_rate.py controls/*.npy --step 0.5 --rate 25

Input: `.fcv` streams, or `.npy` files of controls, float [T, K], quantised here. Streams of
exact controls (`facecodec encode --precision f32`) are quantised with the steps in their headers.
Of quantised streams of 10 s or more it also says what the container takes of their first 10 s.
Rivals need `pip install facecodec[benchmarks]`:
- exp-golomb: difference to the frame before, best order for the clip, frames byte-aligned;
- zstd-19: the whole clip at once, best of {values, differences} x {by frame, by control};
- laplace: constriction's range coder, differences, a Laplace scale per control that follows the
  recent magnitudes (best of three speeds), reset every segment as ours is.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path

import constriction
import numpy as np
import zstandard
from numpy.typing import NDArray

from facecodec.bitstream import StreamReader, StreamWriter, open_stream
from facecodec.bitstream.coding.range_coder import RangeDecoder, RangeEncoder
from facecodec.bitstream.coding.segment import CONTROLS, INITIAL
from facecodec.bitstream.coding.steps import to_levels
from facecodec.bitstream.coding.timing import usual_frames
from facecodec.bitstream.coding.tracks import code_track
from facecodec.workshop.machine import machine

SECONDS = 10  # of a stream whose container is weighed
Levels = NDArray[np.int64]


@dataclass(frozen=True)
class Clip:
    """Levels [frames, controls], frames a segment, frames a second, and where a stream's bytes go.

    parts: of the first ten seconds, without audio; None where they cannot be measured.
    """

    levels: Levels
    segment: int
    rate: float
    parts: dict[str, int] | None = None


def differences(levels: Levels) -> Levels:
    return np.diff(levels, axis=0, prepend=np.zeros_like(levels[:1]))


def ours(levels: Levels, segment: int) -> tuple[int, float, float]:
    """Return bytes, and frames per second of coding and of decoding."""
    size, coding, decoding = 0, 0.0, 0.0
    for first in range(0, len(levels), segment):
        part = levels[first : first + segment]
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


def laplace(levels: Levels, segment: int) -> int:
    sizes = []
    for speed in (0.05, 0.1, 0.2):
        words = 0
        for first in range(0, len(levels), segment):
            residuals = differences(levels[first : first + segment])
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


def load(path: Path, step: float, rate: float) -> Clip:
    """Return the quantised controls of a stream or of an .npy file."""
    if path.suffix == ".fcv":
        stream = open_stream(path)
        frames = list(stream)
        controls = np.stack([frame.controls for frame in frames])
        span = float((frames[-1].pts - frames[0].pts) * stream.header.time_base)
        rate = float(stream.header.frame_rate or 0) or (len(frames) - 1) / max(span, 1e-9)
        levels = to_levels(controls, stream.header.control_steps)
        return Clip(levels, usual_frames(stream.header), rate, weigh(stream))
    controls = np.load(path)
    levels = to_levels(controls, np.full(controls.shape[1], step, np.float32))
    return Clip(levels, min(max(round(5 * rate), 30), 240), rate)


def weigh(stream: StreamReader) -> dict[str, int] | None:
    """Return the bytes of the first ten seconds of a quantised stream without its audio."""
    header = stream.header
    frames = list(stream)
    end = frames[0].pts + int(SECONDS / header.time_base)
    kept = [frame for frame in frames if frame.pts < end]
    payload = stream.identity_payload
    step = int(1 / (header.frame_rate * header.time_base)) if header.frame_rate else 0
    if header.precision != "quantised" or payload is None or kept[-1].pts + 2 * step < end:
        return None
    file = io.BytesIO()
    with StreamWriter(file, header) as writer:
        writer.write_identity_payload(payload)
        for frame in kept:
            writer.write_frame(frame.pts, frame.controls, frame.placement, frame.flags)
    file.seek(0)
    split = StreamReader(file).rate_split()
    names = ("identity", "controls", "placement", "container", "total")
    return {name: getattr(split, f"{name}_bytes") for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("--step", type=float, default=0.5, help="quantiser step for .npy input")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rate", type=float, default=30, help="frames a second of .npy input")
    options = parser.parse_args()
    print(f"{'bytes a frame':24} {'frames':>6} {'ours':>7} {'exp-g':>7} {'zstd':>7} {'laplace':>7}"
          f" {'ours is smaller by':>24} {'kbps':>6} {'at fps':>7}"
          f" {'frames/s coded, decoded':>24}")  # fmt: skip
    total = np.zeros(5)
    clips = []
    for path in options.inputs:
        clip = load(path, options.step, options.rate)
        levels = clip.levels
        size, *speeds = ours(levels, clip.segment)
        sizes = [size, exp_golomb(levels), zstd(levels), laplace(levels, clip.segment)]
        total += [len(levels), *sizes]
        names = ("bytes", "exp_golomb_bytes", "zstd_bytes", "laplace_bytes")
        kbps = size / len(levels) * clip.rate * 8 / 1000
        facts = {"clip": path.stem, "frames": len(levels), "segment_frames": clip.segment}
        facts |= dict(zip(names, sizes, strict=True))
        facts |= {"bytes_a_frame": size / len(levels), "kbps": kbps, "frame_rate": clip.rate}
        facts |= {"frames_per_second": {"coding": speeds[0], "decoding": speeds[1]}}
        clips.append(facts | {"ten_seconds": clip.parts})
        end = f"{kbps:6.2f} {clip.rate:7.2f} {speeds[0]:12.0f} {speeds[1]:11.0f}"
        report(path.stem, len(levels), np.array(sizes), end)
    report("all", int(total[0]), total[1:], "")
    for facts in clips:
        if facts["ten_seconds"]:
            parts = ", ".join(f"{name} {size}" for name, size in facts["ten_seconds"].items())
            share = facts["ten_seconds"]["container"] / facts["ten_seconds"]["total"]
            print(f"{facts['clip']}: 10 s take {parts} bytes; container {share:.2%}")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "clips": clips}, indent=2) + "\n")


def report(name: str, frames: int, sizes: NDArray[np.floating], end: str) -> None:
    rates = " ".join(f"{size / frames:7.2f}" for size in sizes)
    saved = " ".join(f"{1 - sizes[0] / rival:7.1%}" for rival in sizes[1:])
    print(f"{name[:24]:24} {frames:6} {rates} {saved} {end}")


if __name__ == "__main__":
    main()
