"""Learn the initial probabilities of the range coder's contexts from tracked clips.

    python training/train_probabilities.py tracks/*.fcv --leave-one-out
    python training/train_probabilities.py tracks/*.fcv --write

Input: streams, best of exact controls (`facecodec encode --precision f32`). Each is quantised at
several qualities around the default one and cut into segments of five seconds; the decisions taken
in every context are counted. `--leave-one-out` says what each clip would cost with tables learnt
from the others. `--write` puts the tables into
facecodec/bitstream/coding/initial_probabilities.py, WHICH CHANGES THE FORMAT: SPEC.md and the test
vectors must then be recomputed (tests/vectors/make_streams.py).
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import open_stream
from facecodec.bitstream.coding import identity, segment
from facecodec.bitstream.coding import initial_probabilities as trained
from facecodec.bitstream.coding.binarise import UNARY
from facecodec.bitstream.coding.range_coder import PROBABILITY_HALF, RangeEncoder
from facecodec.bitstream.coding.steps import step_codes, steps_from_codes, to_levels
from facecodec.bitstream.coding.tracks import (
    DOWN,
    FIRST,
    MOVED_A,
    MOVED_B,
    SIZE_A,
    SIZE_B,
    code_track,
)
from facecodec.weights.store import load_generator

QUALITIES = (52, 56, 60, 64, 68)
FRAMES = 150  # a segment at 30 frames a second
# What clips of steady frame rate with a face in every frame cannot teach, by hand: the frame comes
# when expected, else after the same time as before; flags and missing placements are rare but last.
BY_HAND = {0: 0.98, 1: 0.5, 18: 0.02, 19: 0.85, 20: 0.03, 21: 0.75, 22: 0.1, 23: 0.99}
Levels = NDArray[np.int64]


class Counter:
    """A coder that counts decisions instead of coding them."""

    def __init__(self, contexts: int) -> None:
        self.counts = np.zeros((contexts, 2))

    def bit(self, context: int, bit: int) -> int:
        self.counts[context, bit] += 1
        return bit

    def pair(self, first: int, second: int, bit: int) -> int:
        self.counts[first, bit] += 1
        self.counts[second, bit] += 1
        return bit

    def even(self, bit: int) -> int:
        return bit


@dataclass
class Clip:
    """The integers of one clip: controls by quality, placement, identity."""

    name: str
    controls: dict[int, Levels]
    placement: Levels
    identity: Levels


def load(path: Path, mean: NDArray[np.float32]) -> Clip:
    stream = open_stream(path)
    header = stream.header
    frames = list(stream)
    controls = np.stack([frame.controls for frame in frames])
    by_quality = {}
    for quality in QUALITIES:
        scale = 2.0 ** ((header.quality - quality) / 16)
        steps = steps_from_codes(step_codes(header.control_steps * scale))
        by_quality[quality] = to_levels(controls, steps)
    places = [frame.placement for frame in frames if frame.placement is not None]
    latent = stream.identity(mean) - mean
    return Clip(
        path.stem,
        by_quality,
        to_levels(np.stack(places), header.placement_steps),
        to_levels(latent, np.float32(identity.DEFAULT_STEP) * np.ones(1, np.float32)),
    )


def groups_of(base: int) -> list[list[int]]:
    """Return groups of contexts of one kind of track that answer the same question."""
    groups = [[base + FIRST + i] for i in range(16)]
    groups.append(list(range(base + MOVED_A, base + MOVED_B)))
    groups.append(list(range(base + MOVED_B, base + DOWN)))
    groups.append(list(range(base + DOWN, base + SIZE_A)))
    for start in (SIZE_A, SIZE_B):
        for step in range(UNARY):
            groups.append([base + start + own * UNARY + step for own in range(8)])
    return groups


def learn(counts: NDArray[np.float64], groups: list[list[int]], strength: float = 3) -> bytes:
    """Return a byte a context from counts [contexts, 2]; rare contexts follow their group."""
    probability = np.full(len(counts), 0.5)
    for group in groups:
        total = counts[group].sum(0)
        shared = (total[1] + 0.5) / (total.sum() + 1)
        seen = counts[group]
        probability[group] = (seen[:, 1] + strength * shared) / (seen.sum(1) + strength)
    return np.clip(np.round(probability * 256 - 0.5), 0, 255).astype(np.uint8).tobytes()


def segment_table(clips: list[Clip]) -> bytes:
    counter = Counter(segment.CONTEXTS)
    for clip in clips:
        for levels in clip.controls.values():
            for first in range(0, len(levels), FRAMES):
                part = levels[first : first + FRAMES]
                code_track(counter, segment.CONTROLS, part.shape[1], len(part), part)
        for first in range(0, len(clip.placement), FRAMES):
            part = clip.placement[first : first + FRAMES]
            code_track(counter, segment.PLACEMENT, 4, len(part), part)
    groups = groups_of(segment.PLACEMENT) + groups_of(segment.CONTROLS)
    table = bytearray(learn(counter.counts, groups))
    for context, probability in BY_HAND.items():
        table[context] = round(probability * 256 - 0.5)
    return bytes(table)


def identity_table(clips: list[Clip]) -> bytes:
    counter = Counter(identity.CONTEXTS)
    for clip in clips:
        identity.code_levels(counter, clip.identity.shape, clip.identity)
    step = identity.CONTEXTS // 8
    groups = [list(range(k, identity.CONTEXTS, step)) for k in range(step)]
    return learn(counter.counts, groups)


def costs(clip: Clip, table: bytes, people: bytes, quality: int = 60) -> tuple[float, float, int]:
    """Return bytes a frame of controls, of placement, and bytes of the identity."""
    initial = trained.initial_probabilities(table.hex(), segment.CONTEXTS)
    totals = []
    for base, levels in (
        (segment.CONTROLS, clip.controls[quality]),
        (segment.PLACEMENT, clip.placement),
    ):
        size = 0
        for first in range(0, len(levels), FRAMES):
            part = levels[first : first + FRAMES]
            coder = RangeEncoder(initial)
            code_track(coder, base, part.shape[1], len(part), part)
            size += len(coder.finish())
        totals.append(size / len(levels))
    coder = RangeEncoder(trained.initial_probabilities(people.hex(), identity.CONTEXTS))
    identity.code_levels(coder, clip.identity.shape, clip.identity)
    return totals[0], totals[1], len(coder.finish())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("streams", nargs="+", type=Path)
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    mean = load_generator().w_mean.cpu().numpy()
    clips = [load(path, mean) for path in options.streams]
    half = bytes([PROBABILITY_HALF >> 8])
    even = half * segment.CONTEXTS, half * identity.CONTEXTS
    everything = segment_table(clips), identity_table(clips)
    print(f"{'':28} controls placement identity   (bytes a frame; bytes)")
    for clip in clips:
        rest = [other for other in clips if other is not clip] if options.leave_one_out else clips
        tables = segment_table(rest), identity_table(rest)
        for name, pair in (("untrained", even), ("from the others", tables), ("all", everything)):
            a, b, c = costs(clip, *pair)
            print(f"{clip.name[:12]:12} {name:15} {a:8.3f} {b:9.3f} {c:8}")
    if options.write:
        path = Path(trained.__file__)
        text = path.read_text()
        for name, table in (("SEGMENT", everything[0]), ("IDENTITY", everything[1])):
            rows = [table[i : i + 40].hex() for i in range(0, len(table), 40)]
            body = "\n".join(f'    "{row}"' for row in rows)
            text = re.sub(rf'{name} = (""|\([^)]*\))', f"{name} = (\n{body}\n)", text)
        path.write_text(text)


if __name__ == "__main__":
    main()
