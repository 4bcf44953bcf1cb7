"""How long the stages of an encode take, by preset: one after the other, in one run.

    python benchmarks/speed.py CLIP --person PERSON.fci --presets live medium --frames 150 \\
        --json benchmarks/results/speed.json

Every preset encodes the same frames with the same known person, so that what is compared is what
is done for every frame; without --person each also seeks the person in the clip. Rounds alternate
between the presets, and the shortest time of each figure counts. `first frame` is from the call to
the controls of the first frame, `a frame` the mean time from there to the last one. What live
tracking learns of a person is learnt before the rounds and read in them, unless --cold.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from saved import save

import facecodec

COLUMNS = ["preset", "face s", "person s", "first frame s", "a frame ms", "all s", "frames/s"]


class Watch:
    """Notes when the frames of an encode are tracked."""

    def __init__(self) -> None:
        self.begin = time.perf_counter()
        self.frames: list[float] = []

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Take one report of progress."""
        if stage == "tracking":
            self.frames.append(time.perf_counter() - self.begin)


def encode_once(given: argparse.Namespace, preset: str, folder: Path) -> dict[str, float]:
    """Return the figures of one encode, in seconds."""
    watch = Watch()
    summary = facecodec.encode(
        given.clip, folder / f"{preset}.fcv", preset=preset, identity=given.person,
        max_frames=given.frames, device=given.device, force=True, progress=watch,
    )  # fmt: skip
    stages, first = summary.stages, watch.frames[0]
    return {
        "frames": summary.frames,
        "face": stages.get("face", 0.0),
        "person": stages.get("inversion", 0.0),
        "first": first,
        "each": (watch.frames[-1] - first) / max(1, len(watch.frames) - 1),
        "all": sum(stages.values()),
    }


def row(preset: str, best: dict[str, float]) -> list[str]:
    """Return one row of the table."""
    each = best["each"] + best["face"] / best["frames"]
    return [
        preset,
        f"{best['face']:.1f}",
        f"{best['person']:.1f}",
        f"{best['first']:.1f}",
        f"{1000 * best['each']:.0f}",
        f"{best['all']:.1f}",
        f"{1 / each:.1f}",
    ]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--person", type=Path, help="a .fci file, who is then not sought")
    parser.add_argument("--presets", nargs="+", default=["live", "fast", "medium"])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cold", action="store_true", help="with an empty cache")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        if not given.cold and given.person and "live" in given.presets:
            warm = argparse.Namespace(**{**vars(given), "frames": 1})
            encode_once(warm, "live", Path(folder))
        for _ in range(given.rounds):
            for preset in given.presets:
                once = encode_once(given, preset, Path(folder))
                known = best.setdefault(preset, once)
                best[preset] = {name: min(known[name], value) for name, value in once.items()}
    rows = [row(preset, figures) for preset, figures in best.items()]
    print(*COLUMNS, sep="\t")
    for line in rows:
        print(*line, sep="\t")
    options = f"--presets {' '.join(given.presets)} --frames {given.frames}"
    person = " --person WHO.fci" if given.person else ""
    save(
        given.json,
        f"python benchmarks/speed.py CLIP{person} {options} --rounds {given.rounds}",
        clip=given.clip.name,
        cores=os.cpu_count(),
        table={"columns": COLUMNS, "rows": rows},
    )


if __name__ == "__main__":
    main()
