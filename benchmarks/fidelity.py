"""Fidelity: likeness and motion of real people, with and without tuning, clip by clip.

    python benchmarks/fidelity.py a.mp4 b.mp4 --face-landmarker face_landmarker.task \\
        --json benchmarks/results/fidelity.json --keep out/

Every clip is encoded once for each tuning (first 150 frames, default preset) and measured against
its own aligned squares at 256x256. The inversion is the same for every tuning of a clip and runs
once; its seconds are part of every one's. `--keep` names a folder for the streams and for one
contact sheet a clip: source, decoded, difference. With `--reuse` a stream that is there already,
`CLIP.TUNE.fcv`, is measured and not made again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from saved import save

import facecodec.pipeline.encode as encoding
from facecodec.bitstream import StreamReader
from facecodec.cli.progress import shown
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.metrics.measures import written
from facecodec.pipeline.evaluate import Options, evaluate_files
from facecodec.pipeline.player import open_player
from facecodec.video.reader import VideoReader
from facecodec.video.writer import encode_png

MEASURES = ("psnr_face", "ssim_face", "identity", "yaw", "pitch", "mouth_opening", "eye_opening",
            "rho_au", "rho_gaze", "rho_pose")  # fmt: skip
SHOWN = 8  # frames of a contact sheet
COMMAND = "python benchmarks/fidelity.py CLIPS --tune {tune} --face-landmarker face_landmarker.task"
COLUMNS = ["clip", "tune", "PSNR face", "SSIM face", "identity", "yaw", "pitch", "mouth", "eyes",
           "rho_AU", "rho_gaze", "rho_pose", "motion B/frame", "tuning KB"]  # fmt: skip


def one_inversion() -> None:
    """Make the next encodes of a clip share one inversion."""
    find, found = encoding.find_person, {}

    def again(reader: Any, span: Any, *rest: Any) -> Any:
        key = str(reader.path)
        if key not in found:
            found[key] = find(reader, span, *rest)
        return found[key]

    encoding.find_person = again


def contact_sheet(clip: Path, stream: Path) -> np.ndarray:
    """Return source, decoded and difference of some frames, uint8 [3 * 256, n * 256, 3]."""
    player = open_player(stream, size=256)
    frames = list(player.stream.frames())
    wanted = set(np.linspace(0, len(frames) - 1, SHOWN).astype(int).tolist())
    columns = []
    with VideoReader(clip) as reader:
        for i, frame in enumerate(reader.frames(None, None, len(frames))):
            if i in wanted:
                place = Alignment(*(float(v) for v in frames[i].placement))
                source = crop(frame.image, place, 256)
                decoded = player.renderer(frames[i].controls[None])[0]
                difference = 128 + (decoded.astype(int) - source) // 2
                columns.append(np.concatenate([source, decoded, difference.astype(np.uint8)]))
    return np.concatenate(columns, axis=1)


def measure(
    clip: Path, tune: str, folder: Path, options: Options, frames: int, reuse: bool
) -> dict[str, Any]:
    """Encode a clip, unless its stream is to be reused, and return its row of the table."""
    stream = folder / f"{clip.stem}.{tune}.fcv"
    seconds: dict[str, float] = {}
    with shown() as progress:
        if not (reuse and stream.is_file()):
            done = encoding.encode(
                clip, stream, tune=tune, max_frames=frames, force=True, progress=progress
            )
            seconds = done.stages
        result = evaluate_files(clip, stream, max_frames=frames, options=options, progress=progress)
    with stream.open("rb") as file:
        reader = StreamReader(file)
        rate, count = reader.rate_split(), reader.index().frames
    (folder / f"{clip.stem}.{tune}.png").write_bytes(encode_png(contact_sheet(clip, stream)))
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


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows of a document's table, and their means."""
    lines = []
    for row in rows:
        values = [written(m, row["values"][m]) for m in MEASURES]
        motion = f"{row['controls_bytes'] / row['frames']:.1f}"
        lines.append([row["clip"], row["tune"], *values, motion,
                      f"{row['tuning_bytes'] / 1000:.1f}"])  # fmt: skip
    for tune in dict.fromkeys(row["tune"] for row in rows):
        chosen = [row for row in rows if row["tune"] == tune]
        known = {
            m: [r["values"][m] for r in chosen if r["values"][m] is not None] for m in MEASURES
        }
        means = [written(m, float(np.mean(v))) if v else "n/a" for m, v in known.items()]
        motion = np.mean([r["controls_bytes"] / r["frames"] for r in chosen])
        tuning = np.mean([r["tuning_bytes"] / 1000 for r in chosen])
        lines.append(["mean", tune, *means, f"{motion:.1f}", f"{tuning:.1f}"])
    return {"columns": COLUMNS, "rows": lines}


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--tune", default="none,light")
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--max-frames", type=int, default=150)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    options = Options(landmarker=given.face_landmarker)
    one_inversion()
    rows: list[dict[str, Any]] = []
    shared: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for clip in given.clips:
            for tune in given.tune.split(","):
                row = measure(clip, tune, folder, options, given.max_frames, given.reuse)
                inversion = row["seconds"].get("inversion", 0.0)
                shared[clip.stem] = max(shared.get(clip.stem, 0.0), inversion)
                row["seconds"]["inversion"] = shared[clip.stem]
                rows.append(row)
                print(clip.stem, tune, *(f"{m} {written(m, row['values'][m])}" for m in MEASURES),
                      f"{sum(row['seconds'].values()):.0f} s", flush=True)  # fmt: skip
                save(given.json, COMMAND.format(tune=given.tune), table=table(rows), rows=rows)
    for tune in given.tune.split(","):
        chosen = [row for row in rows if row["tune"] == tune]
        means = {
            m: [r["values"][m] for r in chosen if r["values"][m] is not None] for m in MEASURES
        }
        print(f"mean, {tune}:", *(f"{m} {np.mean(v):.3f}" for m, v in means.items() if v))


if __name__ == "__main__":
    main()
