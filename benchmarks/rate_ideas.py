"""Cheaper controls at equal loss: what a file would gain from other ways to quantise and predict.

    python benchmarks/rate_ideas.py exact.fcv other.fcv --json benchmarks/results/rate_ideas.json

Input: streams of exact controls (`facecodec encode --precision f32`). Each way is run at seven
qualities, coded by the controls' own coder in segments of the usual length, and held against
plain rounding: bytes a frame at the error (mean square, in steps of quality 60) that plain rounding
has there. Counted are controls alone.
- slack: a level stays while the value is within so many steps of it, as live streams do (0.6).
- path: of each control's levels through a segment the ones with the least sum of error and bits
  (Viterbi), bits as counted in the clip: the decoder stays as it is.
- smoothed: levels as they are, decoded to a mean over three frames within half a step of each.
- between: every second frame is coded first, the others as what they differ from the mean of their
  neighbours: bidirectional prediction, another format.
- both: path, then between.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from saved import save

from facecodec.bitstream import open_stream
from facecodec.bitstream.coding.range_coder import RangeEncoder
from facecodec.bitstream.coding.segment import CONTROLS, INITIAL
from facecodec.bitstream.coding.steps import DEFAULT_QUALITY, to_levels
from facecodec.bitstream.coding.timing import usual_frames
from facecodec.bitstream.coding.tracks import code_track

Levels = NDArray[np.int64]
Values = NDArray[np.float64]
QUALITIES = (36, 44, 52, 60, 68, 76, 84)
POINTS_AN_OCTAVE = 16  # of quality, that halve the step
SLACKS = (0.6, 0.7, 0.85)
WEIGHTS = (0.06, 0.12, 0.25)  # of a bit, in squared steps
SHARED_FRAMES = 8
MOST_CHANGE = 8  # levels, whose bits are counted apart


def coded(tracks: list[Levels]) -> int:
    """Return the bytes of tracks that share one coder."""
    coder = RangeEncoder(INITIAL)
    for track in tracks:
        code_track(coder, CONTROLS, track.shape[1], len(track), track)
    return len(coder.finish())


def one_after_the_other(levels: Levels) -> list[Levels]:
    return [levels]


def between_neighbours(levels: Levels) -> list[Levels]:
    """Return the even frames, and the sums of what odd ones differ from their neighbours' mean.

    The coder codes differences of rows: those of the sums are what is to be coded.
    """
    even, odd = levels[::2], levels[1::2]
    if not len(odd):
        return [even]
    after = even[1 : len(odd) + 1]
    after = np.concatenate([after, even[-1:]]) if len(after) < len(odd) else after
    away = odd - (even[: len(odd)] + after) // 2
    return [even, np.cumsum(away, axis=0)]


def rounded(values: Values) -> Levels:
    return to_levels(values, np.ones(values.shape[1], np.float32))


def slack(values: Values, width: float) -> Levels:
    """Return levels that stay while a value is within `width` of them."""
    out = rounded(values)
    for t in range(1, len(out)):
        low, high = np.ceil(values[t] - width), np.floor(values[t] + width)
        out[t] = np.clip(out[t - 1], low, high)
    return out


def as_they_are(levels: Levels) -> Values:
    return levels.astype(np.float64)


def smoothed(levels: Levels) -> Values:
    """Return a mean over three frames, kept within half a step of each level."""
    around = np.pad(levels, ((1, 1), (0, 0)), "edge").astype(np.float64)
    mean = 0.25 * around[:-2] + 0.5 * around[1:-1] + 0.25 * around[2:]
    return np.clip(mean, levels - 0.5, levels + 0.5)


def bit_costs(levels: Levels) -> Values:
    """Return what a change by 0 to MOST_CHANGE levels costs of each control, in bits, [., K].

    By how often there is one, in this control and, for a few frames' worth, in all of them.
    """
    size = np.minimum(np.abs(np.diff(levels, axis=0)), MOST_CHANGE)
    each = np.stack([(size == change).sum(axis=0) for change in range(MOST_CHANGE + 1)])
    counts = each + SHARED_FRAMES * (each.sum(axis=1, keepdims=True) + 0.5) / size.size
    costs: Values = -np.log2(counts / counts.sum(axis=0))
    costs[1:] += 1  # the sign
    return np.maximum.accumulate(costs, axis=0)


def path(values: Values, weight: float) -> Levels:
    """Return the levels [T, K] with the least error + weight x bits, each control for itself."""
    nearest = rounded(values)
    costs = weight * bit_costs(nearest)
    options = nearest[None] + np.arange(-1, 2)[:, None, None]  # [3, T, K]
    error = (options - values[None]) ** 2
    total = error[:, 0]
    came: list[Levels] = []
    for t in range(1, len(values)):
        change = np.abs(options[:, None, t] - options[None, :, t - 1])  # to, from, K
        sums = total[None] + costs[np.minimum(change, MOST_CHANGE), np.arange(change.shape[-1])]
        best = sums.argmin(axis=1)
        came.append(best)
        total = np.take_along_axis(sums, best[:, None], axis=1)[:, 0] + error[:, t]
    chosen = total.argmin(axis=0)
    out = np.empty_like(nearest)
    for t in range(len(values) - 1, -1, -1):
        out[t] = options[chosen, t, np.arange(values.shape[1])]
        if t:
            chosen = came[t - 1][chosen, np.arange(values.shape[1])]
    return out


def curve(
    values: Values,
    segment: int,
    quantise: Callable[[Values], Levels],
    order: Callable[[Levels], list[Levels]] = one_after_the_other,
    shown: Callable[[Levels], Values] = as_they_are,
) -> tuple[Values, Values]:
    """Return error and bytes a frame at each quality; values in steps of quality 60."""
    errors, sizes = [], []
    for quality in QUALITIES:
        step = 2.0 ** ((DEFAULT_QUALITY - quality) / POINTS_AN_OCTAVE)
        levels = quantise(values / step)
        errors.append(np.mean((shown(levels) * step - values) ** 2))
        parts = [levels[i : i + segment] for i in range(0, len(levels), segment)]
        sizes.append(sum(coded(order(part)) for part in parts) / len(levels))
    return np.array(errors), np.array(sizes)


def measure(file: Path) -> dict[str, float]:
    """Return bytes a frame of every way, at the error of plain rounding at quality 60."""
    with open_stream(file) as stream:
        header = stream.header
        frames = np.stack([frame.controls for frame in stream]) / header.control_steps
    values: Values = frames.astype(np.float64)
    segment = usual_frames(header)
    plain = curve(values, segment, rounded)
    at = plain[0][QUALITIES.index(DEFAULT_QUALITY)]

    def bytes_at(made: tuple[Values, Values]) -> float:
        order = np.argsort(made[0])
        return float(np.interp(np.log(at), np.log(made[0][order]), made[1][order]))

    found = {"plain": bytes_at(plain)}
    for width in SLACKS:
        found[f"slack {width}"] = bytes_at(curve(values, segment, partial(slack, width=width)))
    for weight in WEIGHTS:
        found[f"path {weight}"] = bytes_at(curve(values, segment, partial(path, weight=weight)))
    found["smoothed"] = bytes_at(curve(values, segment, rounded, shown=smoothed))
    found["between"] = bytes_at(curve(values, segment, rounded, between_neighbours))
    found["both"] = bytes_at(
        curve(values, segment, lambda v: path(v, WEIGHTS[1]), between_neighbours)
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("streams", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    found = {file.stem: measure(file) for file in options.streams}
    names = list(next(iter(found.values())))
    rows = [[clip, *(f"{sizes[name]:.2f}" for name in names)] for clip, sizes in found.items()]
    plain = np.array([sizes["plain"] for sizes in found.values()])
    gains = [
        f"{np.mean(np.array([s[name] for s in found.values()]) / plain) - 1:+.1%}" for name in names
    ]
    rows.append(["mean against plain", *gains])
    for row in rows:
        print("  ".join(f"{cell:>10}" for cell in row))
    command = "python benchmarks/rate_ideas.py STREAMS --json benchmarks/results/rate_ideas.json"
    table = {"columns": ["bytes a frame", *names], "rows": rows}
    save(options.json, command, table=table, clips=found)


if __name__ == "__main__":
    main()
