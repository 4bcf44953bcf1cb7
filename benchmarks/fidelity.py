"""Fidelity: likeness and motion of real people, with and without tuning, clip by clip.

    python benchmarks/fidelity.py a.mp4 b.mp4 --face-landmarker face_landmarker.task \\
        --json benchmarks/results/fidelity.json --keep out/

Every clip is encoded once for each tuning (first 150 frames, default preset) and measured against
its own aligned squares at 256x256. The inversion is the same for every tuning of a clip and runs
once; its seconds are part of every one's. `--keep` names a folder for the streams and for one
contact sheet a clip: source, decoded, difference. With `--reuse` a stream that is there already,
`CLIP.TUNE.fcv`, is measured and not made again; `--made-on` says which machine made it, and
seconds are those of `encode --json` in `CLIP.TUNE.json`, if that is there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from saved import save

import facecodec.encoding.encode as encoding
from facecodec.bitstream import StreamReader
from facecodec.cli.progress import shown
from facecodec.clip.clip import Clip
from facecodec.decoding.stream import Stream
from facecodec.face.crop import crop
from facecodec.metrics.measures import written
from facecodec.study.evaluate import Options, evaluate_files
from facecodec.video.reader import VideoReader
from facecodec.video.writer import encode_png

MEASURES = ("psnr_face", "ssim_face", "identity", "yaw", "pitch", "mouth_opening", "eye_opening",
            "rho_au", "rho_gaze", "rho_pose")  # fmt: skip
SHOWN = 8  # frames of a contact sheet
COMMAND = "python benchmarks/fidelity.py CLIPS --tune {tune} --face-landmarker face_landmarker.task"
COLUMNS = ["PSNR face", "SSIM face", "identity", "yaw", "pitch", "mouth", "eyes",
           "rho_AU", "rho_gaze", "rho_pose", "motion B/frame", "tuning KB"]  # fmt: skip


def one_inversion() -> None:
    """Make the next encodes of a clip share one inversion."""
    find, known = encoding.find_person, {}

    def again(clip: Clip, *rest: Any) -> Any:
        if clip.name not in known:
            known[clip.name] = find(clip, *rest)
        return known[clip.name]

    encoding.find_person = again


def contact_sheet(clip: Path, stream: Path, rig: Path | None = None) -> np.ndarray:
    """Return source, decoded and difference of some frames, uint8 [3 * 256, n * 256, 3]."""
    opened = Stream(stream, rig=rig)
    frames = list(opened)
    wanted = set(np.linspace(0, len(frames) - 1, SHOWN).astype(int).tolist())
    columns = []
    with VideoReader(clip) as reader:
        for i, frame in enumerate(reader.frames(None, None, len(frames))):
            if i in wanted:
                source = crop(frame.image, frames[i].placement, 256)
                decoded = opened.avatar.render(frames[i].controls[None], 256)[0]
                difference = 128 + (decoded.astype(int) - source) // 2
                columns.append(np.concatenate([source, decoded, difference.astype(np.uint8)]))
    return np.concatenate(columns, axis=1)


def measure(
    clip: Path, tune: str, folder: Path, options: Options, frames: int, reuse: bool
) -> dict[str, Any]:
    """Encode a clip, unless its stream is to be reused, and return its row of the table."""
    stream = folder / f"{clip.stem}.{tune}.fcv"
    made = stream.with_suffix(".json")
    seconds: dict[str, float] = {}
    with shown() as progress:
        if not (reuse and stream.is_file()):
            seconds = encoding.encode(
                clip, stream, rig=options.rig, tune=tune, max_frames=frames, force=True,
                progress=progress,
            ).stages  # fmt: skip
        elif made.is_file():
            seconds = json.loads(made.read_text(encoding="utf-8"))["stages"]
        result = evaluate_files(clip, stream, max_frames=frames, options=options, progress=progress)
    with stream.open("rb") as file:
        reader = StreamReader(file)
        rate, count = reader.rate_split(), reader.index().frames
    sheet = contact_sheet(clip, stream, options.rig)
    (folder / f"{clip.stem}.{tune}.png").write_bytes(encode_png(sheet))
    return {
        "clip": clip.stem,
        "tune": tune,
        "frames": count,
        "seconds": seconds,
        "controls_bytes": rate.controls_bytes,
        "identity_bytes": rate.identity_bytes,
        "tuning_bytes": rate.tuning_bytes,
        "values": {name: result.values[name] for name in MEASURES},
    }


def cells(rows: list[dict[str, Any]]) -> list[str]:
    """Return the values of COLUMNS for one row, or the means of several."""
    values = {m: [r["values"][m] for r in rows if r["values"][m] is not None] for m in MEASURES}
    motion = np.mean([row["controls_bytes"] / row["frames"] for row in rows])
    tuning = np.mean([row["tuning_bytes"] / 1000 for row in rows])
    means = [written(m, float(np.mean(v)) if v else None) for m, v in values.items()]
    return [*means, f"{motion:.1f}", f"{tuning:.1f}"]


def tables(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the table of all rows and that of the means of every tuning."""
    tunes = dict.fromkeys(row["tune"] for row in rows)
    means = [[tune, *cells([row for row in rows if row["tune"] == tune])] for tune in tunes]
    lines = [
        *([row["clip"], row["tune"], *cells([row])] for row in rows),
        *(["mean", *mean] for mean in means),
    ]
    return {
        "table": {"columns": ["clip", "tune", *COLUMNS], "rows": lines},
        "means": {"columns": ["tune", *COLUMNS], "rows": means},
    }


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--tune", default="none,light,full")
    parser.add_argument("--rig", type=Path, help="another rig than the shipped one")
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--max-frames", type=int, default=150)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--made-on", help="the machine that made the streams that are reused")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    options = Options(landmarker=given.face_landmarker, rig=given.rig)
    one_inversion()
    rows: list[dict[str, Any]] = []
    shared: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for tune in given.tune.split(","):
            for clip in given.clips:
                row = measure(clip, tune, folder, options, given.max_frames, given.reuse)
                inversion = row["seconds"].get("inversion", 0.0)
                shared[clip.stem] = max(shared.get(clip.stem, 0.0), inversion)
                if row["seconds"]:
                    row["seconds"]["inversion"] = shared[clip.stem]
                rows.append(row)
                print(clip.stem, tune, *cells([row]), f"{sum(row['seconds'].values()):.0f} s",
                      sep=" | ", flush=True)  # fmt: skip
                save(given.json, COMMAND.format(tune=given.tune), given.made_on, **tables(rows),
                     rows=rows)  # fmt: skip
    for mean in tables(rows)["means"]["rows"]:
        print("mean", *mean, sep=" | ")


if __name__ == "__main__":
    main()
