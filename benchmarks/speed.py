"""How long the stages of an encode take, by preset: one after the other, in one run.

    python benchmarks/speed.py CLIP --person PERSON.fci --presets live medium --frames 150 \\
        --json benchmarks/results/speed.json

Every preset encodes the same frames with the same known person, so that what is compared is what
is done for every frame; without --person each also seeks the person in the clip. Rounds alternate
between the presets, and the shortest time of each stage counts. The residual is the weighted mean
picture difference that tracking leaves, of a range of 2.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import facecodec
from facecodec.bitstream import open_stream


def encode_once(given: argparse.Namespace, preset: str, folder: Path) -> dict[str, object]:
    """Return seconds by stage, the frames, and the bytes of their motion, of one encode."""
    out = folder / f"{preset}.fcv"
    summary = facecodec.encode(
        given.clip, out, preset=preset, identity=given.person, max_frames=given.frames,
        device=given.device, force=True,
    )  # fmt: skip
    with open_stream(out) as stream:
        frames = len(list(stream.frames()))
    return {"frames": frames, "stages": summary.stages, "motion_bytes": summary.motion_bytes}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--person", type=Path, help="a .fci file, who is then not sought")
    parser.add_argument("--presets", nargs="+", default=["live", "fast", "medium"])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    facecodec.set_process_defaults()
    best: dict[str, dict[str, float]] = {}
    frames = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for preset in given.presets:
                once = encode_once(given, preset, Path(folder))
                frames = int(str(once["frames"]))
                known = best.setdefault(preset, {})
                for stage, seconds in once["stages"].items():  # type: ignore[attr-defined]
                    known[stage] = min(seconds, known.get(stage, seconds))
    rows: list[dict[str, Any]] = [
        {
            "preset": preset,
            "frames": frames,
            "seconds": stages,
            "per_second": frames / (stages.get("face", 0.0) + stages["tracking"]),
        }
        for preset, stages in best.items()
    ]
    for row in rows:
        parts = ", ".join(f"{stage} {value:.1f} s" for stage, value in row["seconds"].items())
        print(f"{row['preset']}: {row['per_second']:.1f} frames a second ({parts})")
    if given.json:
        machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors"
        given.json.write_text(
            json.dumps({"clip": given.clip.name, "machine": machine, "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
