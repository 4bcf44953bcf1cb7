"""Facecodec, with and without tuning, against x264, x265, AV1 and VP9 on the same squares.

    python benchmarks/compare.py a.mp4 b.mp4 --face-landmarker face_landmarker.task \\
        --json benchmarks/results/compare.json --pages .

Of each conventional codec the table shows the point whose rate is nearest to facecodec's, at
whichever of its sizes has the better PSNR there, and says where none comes as low. `--streams`
names a folder of streams, such as `benchmarks/fidelity.py --keep` leaves: `CLIP.TUNE.fcv`; those
that are not there are made there.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from saved import save

from facecodec.cli.progress import shown
from facecodec.encoding.encode import encode
from facecodec.metrics.measures import written
from facecodec.study.compare import CODECS, Comparison, Point, compare
from facecodec.study.compare_page import compare_page
from facecodec.study.evaluate import Options

MEASURES = ("psnr_face", "ssim_face", "identity", "rho_au", "rho_gaze", "rho_pose")
COLUMNS = ["clip", "codec", "kbps", "at 60 s", "PSNR face", "SSIM face", "identity", "rho_AU",
           "rho_gaze", "rho_pose"]  # fmt: skip
COMMAND = (
    "python benchmarks/compare.py CLIPS --streams STREAMS --face-landmarker face_landmarker.task"
)


def nearest(result: Comparison, codec: str) -> Point:
    """Return a codec's point near facecodec's rate: of those within a fifth, the best PSNR."""
    ours = result.points[0].kbps
    points = [point for point in result.points if point.codec == codec]
    distance = [abs(np.log(point.kbps / ours)) for point in points]
    near = [p for p, d in zip(points, distance, strict=True) if d <= min(distance) + np.log(1.2)]
    return max(near, key=lambda point: point.values["psnr_face"] or 0)


def rows(result: Comparison) -> list[list[str]]:
    """Return the table's rows of one clip."""
    ours = [p for p in result.points if p.codec not in CODECS]
    others = [nearest(result, c) for c in CODECS if any(p.codec == c for p in result.points)]
    rows = []
    for point in [*ours, *others]:
        name = f"facecodec, tune {point.codec}" if point in ours else point.codec
        name += f" at {point.scale:g}" if point.scale != 1 else ""
        values = [written(measure, point.values[measure]) for measure in MEASURES]
        rows.append([Path(result.source).stem, name, f"{point.kbps:.1f}",
                      f"{point.at.get('60', point.kbps):.1f}", *values])  # fmt: skip
    return rows


def streams_of(clip: Path, folder: Path, tunes: list[str], preset: str, frames: int) -> list[Path]:
    """Return a clip's streams, one a tuning; what the folder lacks is encoded."""
    streams = []
    for tune in tunes:
        streams.append(folder / f"{clip.stem}.{tune}.fcv")
        if not streams[-1].is_file():
            with shown() as progress:
                encode(clip, streams[-1], tune=tune, preset=preset, max_frames=frames,
                       audio=False, progress=progress)  # fmt: skip
    return streams


def with_tunes(result: Comparison, streams: list[Path]) -> Comparison:
    """Return the comparison with its streams called by their tunings."""
    tunes = {path.stem: path.stem.rsplit(".", 1)[1] for path in streams}
    points = [replace(p, codec=tunes.get(p.codec, p.codec)) for p in result.points]
    return replace(result, points=points)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--streams", type=Path, help="folder of CLIP.TUNE.fcv, made or to be made")
    parser.add_argument("--tune", default="none,light")
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--rates", default="10,25,75", help="wanted kbps")
    parser.add_argument("--max-frames", type=int, default=150)
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--made-on", help="the machine that made the streams")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--pages", type=Path, help="write a page of curves for each clip here")
    given = parser.parse_args()
    results, tunes = [], given.tune.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.streams or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for clip in given.clips:
            streams = streams_of(clip, folder, tunes, given.preset, given.max_frames)
            with shown() as progress:
                result = compare(
                    clip, streams=streams, rates=[float(rate) for rate in given.rates.split(",")],
                    max_frames=given.max_frames, options=Options(given.face_landmarker),
                    progress=progress,
                )  # fmt: skip
            results.append(with_tunes(result, streams))
            for row in rows(results[-1]):
                print("  ".join(f"{cell:>12}" for cell in row), flush=True)
            print(*result.notes, sep="\n", flush=True)
            if given.pages:
                page = given.pages / f"compare-{clip.stem}.html"
                page.write_text(compare_page(results[-1]), encoding="utf-8")
    table = {"columns": COLUMNS, "rows": [row for result in results for row in rows(result)]}
    save(
        given.json,
        COMMAND,
        given.made_on,
        table=table,
        clips=[result.as_json() for result in results],
    )


if __name__ == "__main__":
    main()
