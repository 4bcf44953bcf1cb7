"""Puppets: every person of some clips moved by every other one, measured pair by pair.

    python benchmarks/puppets.py a.mp4 b.mp4 --streams out/ --tune none,light \\
        --json benchmarks/results/puppets.json

`--streams` holds `CLIP.TUNE.fcv` as `benchmarks/fidelity.py --keep` leaves them; `--tune` says
which of the source's show the person. The driver is the clip itself, which `puppet` encodes without
tuning: here the stream that is there is taken, so that no clip is encoded again. Identity is the
distance to the source clip's person, the correlations are of the driver clip and the puppet. A
sheet of every pair (driver, puppet, difference) goes to `--keep`.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from fidelity import contact_sheet
from saved import save

import facecodec
from facecodec.cli.progress import shown
from facecodec.metrics.measures import written
from facecodec.study.evaluate import Options, evaluate_puppet_files
from facecodec.video.writer import encode_png

MEASURES = ("identity", "yaw", "pitch", "mouth_opening", "eye_opening", "rho_au_gaze")
COLUMNS = ["source", "driver", "tune", "identity", "yaw", "pitch", "mouth", "eyes", "rho_AU-gaze"]
COMMAND = "python benchmarks/puppets.py CLIPS --streams DIR --tune {tune}"


def measure(
    source: Path,
    driver: Path,
    tune: str,
    streams: Path,
    folder: Path,
    frames: int,
    options: Options,
) -> dict[str, Any]:
    """Make one puppet and return its row of the table."""
    made = folder / f"{source.stem}.{tune}.by.{driver.stem}.fcv"
    facecodec.puppet(
        streams / f"{source.stem}.{tune}.fcv", streams / f"{driver.stem}.none.fcv", made,
        driver_video=driver, max_frames=frames, audio=False, force=True,
    )  # fmt: skip
    with shown() as progress:
        result = evaluate_puppet_files(
            source, driver, made, max_frames=frames, options=options, progress=progress
        )
    made.with_suffix(".png").write_bytes(encode_png(contact_sheet(driver, made)))
    values = {name: result.values[name] for name in MEASURES}
    return {"source": source.stem, "driver": driver.stem, "tune": tune, "values": values}


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows of the document's table, with the mean of every tuning."""
    lines = [
        [
            row["source"],
            row["driver"],
            row["tune"],
            *(written(m, row["values"][m]) for m in MEASURES),
        ]
        for row in rows
    ]
    for tune in dict.fromkeys(row["tune"] for row in rows):
        chosen = [row["values"] for row in rows if row["tune"] == tune]
        means = []
        for name in MEASURES:
            known = [values[name] for values in chosen if values[name] is not None]
            means.append(written(name, float(np.mean(known))) if known else "n/a")
        lines.append(["mean", "", tune, *means])
    return {"columns": COLUMNS, "rows": lines}


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--streams", type=Path, required=True)
    parser.add_argument("--tune", default="none,light")
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--max-frames", type=int, default=100)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--made-on", help="the machine that made the streams")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    options = Options(given.face_landmarker, identity_every=5)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for tune in given.tune.split(","):
            for source, driver in itertools.permutations(given.clips, 2):
                rows.append(
                    measure(source, driver, tune, given.streams, folder, given.max_frames, options)
                )
                print(*table(rows[-1:])["rows"][0], sep=" | ", flush=True)
                save(
                    given.json,
                    COMMAND.format(tune=given.tune),
                    given.made_on,
                    table=table(rows),
                    rows=rows,
                )


if __name__ == "__main__":
    main()
