"""Fidelity: likeness and motion of real people, with and without tuning, clip by clip.

    python benchmarks/fidelity.py a.mp4 b.mp4 --face-landmarker face_landmarker.task \\
        --json benchmarks/results/fidelity.json --keep out/

Every clip is encoded once for each tuning (first 150 frames, default preset) and measured against
its own aligned squares at 256x256. The face and the person are the same for every tuning of a clip
and are sought once; their seconds are part of every one's. `--keep` names a folder for the streams
and for one contact sheet a clip: source, decoded, difference. With `--reuse` a stream that is there
already, `CLIP.TUNE.fcv`, is measured and not made again; `--made-on` says which machine made it,
and seconds are those of `encode --json` in `CLIP.TUNE.json`, if that is there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from saved import save

from facecodec.atomic import opened_whole
from facecodec.bitstream import StreamReader
from facecodec.cli.progress import shown
from facecodec.clip.clip import Clip
from facecodec.decoding.stream import Stream
from facecodec.encoding.motion import track_clip
from facecodec.encoding.person import find_person
from facecodec.encoding.presets import preset_of
from facecodec.encoding.stored import stored
from facecodec.encoding.summary import Stages
from facecodec.encoding.tuning import tune_person
from facecodec.encoding.write import new_header, write_clip
from facecodec.face.crop import crop
from facecodec.metrics.measures import written
from facecodec.models import load_likeness, load_models
from facecodec.progress import Progress
from facecodec.study.evaluate import Options, evaluate_files
from facecodec.video.opus import Sound
from facecodec.video.reader import VideoReader
from facecodec.video.writer import encode_png
from facecodec.weights.catalogue import DEFAULT_GENERATOR

MEASURES = ("psnr_face", "ssim_face", "identity", "yaw", "pitch", "mouth_opening", "eye_opening",
            "rho_au", "rho_gaze", "rho_pose")  # fmt: skip
SHOWN = 8  # frames of a contact sheet
COMMAND = "python benchmarks/fidelity.py CLIPS --tune {tune} --face-landmarker face_landmarker.task"
COLUMNS = ["PSNR face", "SSIM face", "identity", "yaw", "pitch", "mouth", "eyes",
           "rho_AU", "rho_gaze", "rho_pose", "motion B/frame", "tuning KB"]  # fmt: skip


def encode_each(
    source: Path, outputs: dict[str, Path], rig: Path | None, frames: int, progress: Progress
) -> dict[str, dict[str, float]]:
    """Encode a clip for each tuning (tuning -> stream) as `facecodec.encode` does, by one person.

    Returns the seconds of each one's stages.
    """
    models, plan, stages = (
        load_models(DEFAULT_GENERATOR, rig, "auto"),
        preset_of("medium"),
        Stages(),
    )
    likeness = load_likeness(models.generator)
    seconds = {}
    with Clip.open(source, max_frames=frames, progress=progress) as clip:
        stages.end("models")
        _ = clip.scan
        stages.end("face")
        person = find_person(clip, models, plan, None, likeness, progress)
        stages.end("inversion")
        shared = dict(stages.seconds)
        for tune, output in outputs.items():
            avatar, enrolment = person
            if tune != "none":
                avatar, enrolment = tune_person(
                    clip, avatar, enrolment, plan, tune, likeness, progress
                )
                stages.end("tuning")
            motion = track_clip(clip, avatar, enrolment, plan.tracking, progress)
            stages.end("tracking")
            size = clip.width, clip.height
            header = new_header(models, size, clip.time_base, clip.frame_rate)
            header, motion = stored(header, models.rig, motion)
            with opened_whole(output) as file:
                sound = Sound(clip.audio, clip.audio_packets())
                write_clip(file, header, clip, avatar, motion, sound)
            stages.end("writing")
            seconds[tune] = stages.seconds
            stages.seconds = dict(shared)
    return seconds


def contact_sheet(clip: Path, stream: Path, rig: Path | None = None) -> np.ndarray:
    """Return source, decoded and difference of some frames, uint8 [3 * 256, n * 256, 3]."""
    opened = Stream(stream, rig=rig)
    frames = list(opened)
    wanted = set(np.linspace(0, len(frames) - 1, SHOWN).astype(int).tolist())
    columns = []
    with VideoReader(clip) as reader:
        for i, frame in enumerate(reader.frames(None, None, len(frames))):
            if i in wanted:
                where = frames[i].placement
                assert where is not None  # encode stores one of every frame
                source = crop(frame.image, where, 256)
                decoded = opened.avatar.render(frames[i].controls[None], 256)[0]
                difference = 128 + (decoded.astype(int) - source) // 2
                columns.append(np.concatenate([source, decoded, difference.astype(np.uint8)]))
    return np.concatenate(columns, axis=1)


def measure(
    clip: Path, stream: Path, options: Options, frames: int, seconds: dict[str, float]
) -> dict[str, Any]:
    """Return a stream's row of the table; `seconds` are those of its stages."""
    with shown() as progress:
        result = evaluate_files(clip, stream, max_frames=frames, options=options, progress=progress)
    with stream.open("rb") as file:
        reader = StreamReader(file)
        rate, count = reader.rate_split(), reader.index().frames
    sheet = contact_sheet(clip, stream, options.rig)
    stream.with_suffix(".png").write_bytes(encode_png(sheet))
    return {
        "clip": clip.stem,
        "tune": stream.stem.rsplit(".", 1)[1],
        "frames": count,
        "seconds": seconds,
        "controls_bytes": rate.controls_bytes,
        "identity_bytes": rate.identity_bytes,
        "tuning_bytes": rate.tuning_bytes,
        "values": {name: result.values[name] for name in MEASURES},
    }


def seconds_of(stream: Path) -> dict[str, float]:
    """Return the seconds of each stage that `encode --json` wrote beside a stream, if it did."""
    facts = stream.with_suffix(".json")
    if not facts.is_file():
        return {}
    seconds: dict[str, float] = json.loads(facts.read_text(encoding="utf-8"))["stages"]
    return seconds


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
    parser.add_argument("--tune", default="none,small,light,full")
    parser.add_argument("--rig", type=Path, help="another rig than the shipped one")
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--max-frames", type=int, default=150)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--made-on", help="the machine that made the streams that are reused")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    options = Options(landmarker=given.face_landmarker, rig=given.rig)
    tunes = given.tune.split(",")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for clip in given.clips:
            streams = {tune: folder / f"{clip.stem}.{tune}.fcv" for tune in tunes}
            made = {t: s for t, s in streams.items() if given.reuse and s.is_file()}
            seconds = {tune: seconds_of(stream) for tune, stream in made.items()}
            if wanted := {tune: s for tune, s in streams.items() if tune not in made}:
                with shown() as progress:
                    seconds |= encode_each(clip, wanted, given.rig, given.max_frames, progress)
            for tune, stream in streams.items():
                row = measure(clip, stream, options, given.max_frames, seconds[tune])
                rows.append(row)
                print(clip.stem, tune, *cells([row]), f"{sum(row['seconds'].values()):.0f} s",
                      sep=" | ", flush=True)  # fmt: skip
            rows.sort(key=lambda row: tunes.index(row["tune"]))
            save(given.json, COMMAND.format(tune=given.tune), given.made_on, **tables(rows),
                 rows=rows)  # fmt: skip
    for mean in tables(rows)["means"]["rows"]:
        print("mean", *mean, sep=" | ")


if __name__ == "__main__":
    main()
