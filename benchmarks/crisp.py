"""Crispness: detail by octave, a weave and the colour of skin, at the size the source warrants.

    python benchmarks/crisp.py CLIP ... --streams DIR --tune none,light,full \\
        --face-landmarker face_landmarker.task --json benchmarks/results/crisp.json

`DIR` holds the streams, `CLIP.TUNE.fcv`, as `fidelity.py --keep` leaves them; one that is missing
is encoded (first 150 frames, default preset). Beside each lie its figures, `CLIP.TUNE.crisp.json`,
and close-ups of eyes, mouth, forehead and hair, source beside decoded at the size compared,
`CLIP.TUNE.closeups.png`. What lies there newer than its stream is not measured again: the work may
be done in pieces, a clip or a tuning at a time, and the last call makes the table of all.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from fidelity import encode_each, seconds_of
from numpy.typing import NDArray
from saved import save

from facecodec.cli.progress import shown
from facecodec.decoding.stream import Stream
from facecodec.face.alignment import usual_size
from facecodec.face.crop import crop
from facecodec.metrics.detail import OCTAVES, REGIONS
from facecodec.metrics.evaluation import Evaluation
from facecodec.metrics.measures import written
from facecodec.study.evaluate import Options, evaluate_files
from facecodec.video.reader import VideoReader
from facecodec.video.writer import encode_png

OTHERS = ("weave", "psnr_face_large", "ssim_face_large", "skin_colour", "psnr_face", "ssim_face",
          "identity", "rho_au", "rho_gaze", "rho_pose")  # fmt: skip
COLUMNS = ["size", *(f"{region} {octave} px" for region in REGIONS for octave in OCTAVES),
           "weave", "its period", "PSNR", "SSIM", "skin", "PSNR 256", "SSIM 256", "identity",
           "rho_AU", "rho_gaze", "rho_pose"]  # fmt: skip
# Where a FFHQ square has its features: left, top, side in shares of the square.
CLOSE_UPS = {"eyes": (0.30, 0.37, 0.25), "mouth": (0.36, 0.62, 0.25),
             "forehead": (0.36, 0.17, 0.25), "hair": (0.08, 0.02, 0.25)}  # fmt: skip
FRAMES_SHOWN = 3
COMMAND = "python benchmarks/crisp.py CLIPS --streams DIR --tune {tune} --max-frames {frames}"

Picture = NDArray[np.uint8]


def close_ups(clip: Path, stream: Path, rig: Path | None = None) -> Picture:
    """Return rows of frames, columns of features, each source beside decoded."""
    opened = Stream(stream, rig=rig)
    frames = list(opened)
    places = [frame.placement for frame in frames if frame.placement is not None]
    size = usual_size(places)
    wanted = np.linspace(0, len(frames) - 1, FRAMES_SHOWN + 2).astype(int)[1:-1].tolist()
    rows = []
    with VideoReader(clip) as reader:
        for i, frame in enumerate(reader.frames(None, None, len(frames))):
            if i not in wanted:
                continue
            source = crop(frame.image, places[i], size)
            decoded = opened.avatar.render(frames[i].controls[None], size)[0]
            row = []
            for left, top, side in CLOSE_UPS.values():
                x, y, n = (round(share * size) for share in (left, top, side))
                row += [picture[y : y + n, x : x + n] for picture in (source, decoded)]
            rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def numbers(result: Evaluation) -> dict[str, Any]:
    """Return what a row of the table is made of."""
    assert result.detail is not None
    values = result.detail.values() | {name: result.values[name] for name in OTHERS}
    weave = result.detail.weave
    return {"size": result.detail.size, "values": values, "period": weave.period if weave else None}


def measured(clip: Path, stream: Path, options: Options, frames: int) -> dict[str, Any]:
    """Return a stream's numbers and its seconds: those kept beside it, or measured and kept."""
    kept = stream.with_suffix(".crisp.json")
    if not kept.is_file() or kept.stat().st_mtime < stream.stat().st_mtime:
        with shown() as progress:
            result = evaluate_files(clip, stream, max_frames=frames, options=options,
                                    progress=progress)  # fmt: skip
        picture = encode_png(close_ups(clip, stream, options.rig))
        stream.with_suffix(".closeups.png").write_bytes(picture)
        row = numbers(result) | {"frames": result.frames, "seconds": seconds_of(stream)}
        kept.write_text(json.dumps(row, indent=1), encoding="utf-8")
    numbers_kept: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return numbers_kept


def cells(rows: list[dict[str, Any]]) -> list[str]:
    """Return what COLUMNS say of one row, or the means of several over those that have a value."""
    names = [f"detail_{region}_{octave}" for region in REGIONS for octave in OCTAVES]

    def mean(name: str) -> str:
        known = [row["values"][name] for row in rows if row["values"][name] is not None]
        return written(name, float(np.mean(known)) if known else None)

    sizes = " ".join(str(size) for size in sorted({row["size"] for row in rows}))
    periods = [row["period"] for row in rows if row["period"] is not None]
    period = f"{periods[0]:.1f}" if len(rows) == 1 and periods else ""
    first, *others = [mean(name) for name in OTHERS]
    return [sizes, *map(mean, names), first, period, *others]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--streams", type=Path, required=True)
    parser.add_argument("--tune", default="none,small,light,full")
    parser.add_argument("--rig", type=Path, help="another rig than the shipped one")
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--max-frames", type=int, default=150)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    options = Options(landmarker=given.face_landmarker, rig=given.rig)
    given.streams.mkdir(parents=True, exist_ok=True)
    tunes = given.tune.split(",")
    rows: list[dict[str, Any]] = []
    for clip in given.clips:
        streams = {tune: given.streams / f"{clip.stem}.{tune}.fcv" for tune in tunes}
        missing = {tune: stream for tune, stream in streams.items() if not stream.is_file()}
        if missing:
            with shown() as progress:
                seconds = encode_each(clip, missing, given.rig, given.max_frames, progress)
            for tune, stream in missing.items():
                facts = {"stages": seconds[tune]}
                stream.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
        for tune, stream in streams.items():
            row = {"clip": clip.stem, "tune": tune}
            row |= measured(clip, stream, options, given.max_frames)
            rows.append(row)
            print(clip.stem, tune, *cells([row]), sep=" | ", flush=True)
    rows.sort(key=lambda row: tunes.index(row["tune"]))
    means = [[tune, *cells([row for row in rows if row["tune"] == tune])] for tune in tunes]
    for mean in means:
        print("mean", *mean, sep=" | ")
    lines = [[row["clip"], row["tune"], *cells([row])] for row in rows]
    table = {"columns": ["clip", "tune", *COLUMNS], "rows": lines + [["mean", *m] for m in means]}
    save(given.json, COMMAND.format(tune=given.tune, frames=given.max_frames), table=table,
         means={"columns": ["tune", *COLUMNS], "rows": means}, rows=rows)  # fmt: skip


if __name__ == "__main__":
    main()
