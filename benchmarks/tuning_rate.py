"""What a light tuning's bytes buy: likeness against kilobytes.

    python benchmarks/tuning_rate.py clip.light.fcv=clip.mp4 other.light.fcv=other.mp4 \\
        --json benchmarks/results/tuning_rate.json

Input: streams of `encode --tune light`, each with its source video. The tuning is coded again with
coarser steps, or with only one of its two parts, and every `--every`th frame rendered with the
controls as they are, and compared with the aligned source at 256x256: PSNR and SSIM over the inner
face (the middle 60 % of the square each way), and the distance of dlib's embeddings.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from saved import save

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import FrameRecord, open_stream
from facecodec.cli.progress import shown
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.fit.light_tuning import LightTuningPlan
from facecodec.metrics.pictures import psnr, ssim
from facecodec.models import face_embedder, landmark_finder
from facecodec.video.reader import VideoReader

PIXELS = 256
INNER = slice(PIXELS // 5, PIXELS - PIXELS // 5)
COMMAND = "python benchmarks/tuning_rate.py STREAM=CLIP ..."
COLUMNS = ["tuning", "KB", "PSNR face", "SSIM face", "identity"]


def variants(tuning: Tuning) -> dict[str, Tuning]:
    """Return tunings with coarser steps, and with one part alone."""
    plan = LightTuningPlan()
    steps = np.array([plan.styles_step] + [plan.response_step] * (len(tuning.values) - 1))
    made = {"as it is": tuning}
    for factor in (3, 5, 9):  # odd: no level lies between two
        made[f"steps times {factor}"] = Tuning.light(tuning.values, steps * factor)
    styles, responses = tuning.values.copy(), tuning.values.copy()
    styles[1:], responses[0] = 0, 0
    made["styles alone"] = Tuning.light(styles, steps)
    made["responses alone"] = Tuning.light(responses, steps)
    return made


def measure(path: Path, clip: Path, every: int) -> dict[str, list[float]]:
    """Return KB, PSNR, SSIM and identity distance of every variant."""
    stream = open_stream(path)
    person = Avatar.from_stream(stream, device="cpu")
    if person.tuning is None or person.tuning.kind != "light":
        raise SystemExit(f"{path}: has no light tuning")
    frames: dict[int, FrameRecord] = {f.pts: f for f in list(stream.frames())[::every]}
    sources = []
    with VideoReader(clip) as reader:
        for picture in reader.frames():
            frame = frames.get(picture.pts)
            if frame is not None and frame.placement is not None:
                place = Alignment.from_array(frame.placement)
                sources.append((frame.controls, crop(picture.image, place, PIXELS)))
            if picture.pts >= max(frames):
                break
    find, embed = landmark_finder(), face_embedder()
    results: dict[str, list[float]] = {"none": []}
    tunings: dict[str, Tuning | None] = {"none": None}
    tunings |= variants(person.tuning)
    for name, tuning in tunings.items():
        avatar = Avatar(person.model, person.latent, tuning)
        rows = []
        for controls, source in sources:
            decoded = avatar.render(controls[None], PIXELS)[0]
            points = find(source)
            apart = np.nan
            if points is not None:
                apart = float(np.linalg.norm(embed(source, points) - embed(decoded, points)))
            a, b = source[INNER, INNER], decoded[INNER, INNER]
            rows.append([psnr(a, b), ssim(a, b), apart])
        size = 0.0 if tuning is None else len(tuning.to_bytes()) / 1000
        results[name] = [size, *np.nanmean(rows, axis=0).tolist()]
    return results


def main() -> None:
    """Measure and print the means over the clips."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("pairs", nargs="+", metavar="STREAM=CLIP")
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--made-on", help="the machine that made the streams")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    clips: dict[str, dict[str, list[float]]] = {}
    with shown() as progress:
        for i, pair in enumerate(given.pairs):
            stream, _, clip = pair.partition("=")
            clips[Path(clip).stem] = measure(Path(stream), Path(clip), given.every)
            progress("clips", i + 1, len(given.pairs))
    rows: list[list[Any]] = []
    for name in next(iter(clips.values())):
        size, db, similar, apart = np.mean([measures[name] for measures in clips.values()], axis=0)
        rows.append([name, f"{size:.1f}", f"{db:.2f} dB", f"{similar:.3f}", f"{apart:.3f}"])
        print(*rows[-1], sep=" | ")
    save(given.json, COMMAND, given.made_on, table={"columns": COLUMNS, "rows": rows}, clips=clips)


if __name__ == "__main__":
    main()
