"""Puppets: every person of some clips moved by every other one, measured pair by pair.

    python benchmarks/puppets.py a.mp4 b.mp4 --streams out/ --tune small \\
        --picture face.png b.mp4 --json benchmarks/results/puppets.json

Nothing is encoded: `--streams` holds `CLIP.TUNE.fcv`, which shows the person, and `CLIP.none.fcv`,
whose motion is taken, as `benchmarks/fidelity.py --keep` leaves them; a picture's person is
`PICTURE.TUNE.fci`, as `facecodec identity enrol` writes it. Identity is the distance to the source
clip's person; correlations over time are of the driver clip and the puppet. Beside them stand their
ceilings: what two readings of one motion would have, as noisy as these two, and beside the identity
the mean distance of the source clip's own frames to that person. The way of lips and lids is how
far they go where the driver's go by 1. Jitter is the puppet's trembling over the driver's. A puppet
that `--keep` holds already is not made again. A sheet of every pair (driver, puppet) goes there
too, which ends with the frame whose face does least of what the driver's does.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from puppet_faces import SEEN, Face, agreement, ceiling, distance, read_avatar, read_clip, slope
from saved import save

import facecodec
from facecodec.avatar.avatar import load_avatar
from facecodec.face.expression import features
from facecodec.metrics.landmarker import Landmarker
from facecodec.models import load_stream_models
from facecodec.types import Picture
from facecodec.video.writer import encode_png

COLUMNS = ["source", "driver", "identity", *(name.replace("_", " ") for name in SEEN),
           "lips' and lids' way", "jitter", "lost"]  # fmt: skip
WAYS = ("mouth_opening", "eye_opening")
SHOWN = 6  # frames of a sheet, beside the worst
COMMAND = "python benchmarks/puppets.py CLIPS --streams DIR --tune {tune} --max-frames {frames}"


class Bench:
    """Makes and measures puppets; every clip is read once."""

    def __init__(self, given: argparse.Namespace, folder: Path, landmarker: Landmarker | None):
        self._given, self._folder, self._landmarker = given, folder, landmarker
        self._read: dict[Path, Face] = {}

    def clip(self, clip: Path) -> Face:
        """Return what the face of a clip, or of a picture, does."""
        if clip not in self._read:
            self._read[clip] = read_clip(clip, self._given.max_frames, self._landmarker)
        return self._read[clip]

    def pair(self, source: Path, driver: Path, person: Path) -> dict[str, Any]:
        """Make one puppet of a person's file and return its row of the table."""
        moving = self._given.streams / f"{driver.stem}.none.fcv"
        made = self._folder / f"{person.stem}.by.{driver.stem}.fcv"
        if not made.exists():
            facecodec.puppet(
                person, moving, made, driver_video=driver, max_frames=self._given.max_frames,
                audio=False,
            )  # fmt: skip
        stream = facecodec.open(made)
        model = load_stream_models(stream.reader.header, str(made), None, "auto")
        puppet = read_avatar(load_avatar(person, model), stream.controls, self._landmarker)
        wanted = self.clip(driver)
        made.with_suffix(".png").write_bytes(encode_png(sheet(wanted, puppet)))
        pairs = [(wanted.signals[name], puppet.signals[name]) for name in SEEN]
        return {
            "source": source.stem,
            "driver": driver.stem,
            "identity": distance(self.clip(source), puppet),
            "r": dict(zip(SEEN, (agreement(*pair) for pair in pairs), strict=True)),
            "ceiling": dict(zip(SEEN, (ceiling(*pair) for pair in pairs), strict=True)),
            "way": {name: slope(puppet.signals[name], wanted.signals[name]) for name in WAYS},
            "own identity": distance(self.clip(source), self.clip(source)),
            "jitter": puppet.shake / wanted.shake,
            "lost": puppet.lost,
        }


def sheet(driver: Face, puppet: Face) -> Picture:
    """Return frames of a driver over those of the puppet, the worst last, [512, n * 256, 3]."""
    wrong = features(puppet.points) - features(driver.points)
    wrong = np.abs(wrong - np.nanmedian(wrong, axis=0)).sum(1)
    worst = int(np.argmax(np.where(np.isfinite(wrong), wrong, np.inf)))
    shown = [*np.linspace(0, len(puppet.pictures) - 1, SHOWN).astype(int), worst]
    columns = [np.concatenate([driver.pictures[i], puppet.pictures[i]]) for i in shown]
    return np.concatenate(columns, axis=1)


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows of the document's table: correlations, with their ceilings in brackets."""
    lines = [
        [
            row["source"],
            row["driver"],
            f"{row['identity']:.3f} ({row['own identity']:.2f})"
            if row["own identity"]  # a picture has one frame alone
            else f"{row['identity']:.3f}",
            *(f"{row['r'][name]:.3f} ({row['ceiling'][name]:.2f})" for name in SEEN),
            ", ".join(f"{row['way'][name]:.2f}" for name in WAYS),
            f"{row['jitter']:.2f}",
            str(row["lost"]),
        ]
        for row in rows
    ]
    means = [float(np.nanmean([row["r"][name] for row in rows])) for name in SEEN]
    identity, jitter = (float(np.mean([r[key] for r in rows])) for key in ("identity", "jitter"))
    lines.append(
        ["mean", "", f"{identity:.3f}", *(f"{mean:.3f}" for mean in means), "", f"{jitter:.2f}",
         str(sum(row["lost"] for row in rows))]
    )  # fmt: skip
    return {"columns": COLUMNS, "rows": lines}


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--streams", type=Path, required=True)
    parser.add_argument("--tune", default="small")
    parser.add_argument(
        "--picture", nargs=2, action="append", type=Path, default=[],
        metavar=("PICTURE", "CLIP"), help="a picture, and who drives it",
    )  # fmt: skip
    parser.add_argument("--only", help="of the pairs SOURCE:DRIVER these alone, by comma")
    parser.add_argument("--face-landmarker", type=Path)
    parser.add_argument("--max-frames", type=int, default=40)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--made-on", help="the machine that made the streams")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    pairs = [
        (a, b, given.streams / f"{a.stem}.{given.tune}.fcv")
        for a, b in itertools.permutations(given.clips, 2)
    ]
    pairs += [(a, b, given.streams / f"{a.stem}.{given.tune}.fci") for a, b in given.picture]
    if given.only:
        wanted = given.only.split(",")
        pairs = [pair for pair in pairs if f"{pair[0].stem}:{pair[1].stem}" in wanted]
    lent = Landmarker(given.face_landmarker) if given.face_landmarker else nullcontext()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch, lent as landmarker:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(given, folder, landmarker)
        command = COMMAND.format(tune=given.tune, frames=given.max_frames)
        for source, driver, person in pairs:
            rows.append(bench.pair(source, driver, person))
            print(*table(rows[-1:])["rows"][0], sep=" | ", flush=True)
            save(given.json, command, given.made_on, table=table(rows), rows=rows)


if __name__ == "__main__":
    main()
