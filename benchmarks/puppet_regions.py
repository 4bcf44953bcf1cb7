"""Puppets in part: one region of the driver alone, half and more of everything, and dubbing.

    python benchmarks/puppet_regions.py --source a.fcv --driver b.fcv --driver-video b.mp4 \\
        --keep out/ --json benchmarks/results/puppet_regions.json

Signals are read from pictures of the source at the puppet's controls. For a region alone, its
signals are compared with those of the whole puppet by correlation over time, and the standard
deviation of all others is given as a share of the whole puppet's, the largest one. For a strength,
the slope of the signals against the whole puppet's. For dubbing (mouth and jaw of the driver, the
source's own motion elsewhere) the correlation of pose and eyes with the source's own, and of the
lips with the whole puppet's. A puppet that `--keep` holds already is not made again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from saved import save

import facecodec
from facecodec.face.layout import LEFT_EYE, RIGHT_EYE
from facecodec.face.signals import SIGNALS, all_signals, eye_centres, interocular
from facecodec.rig.regions import Region

OWN = {
    "pose": ("yaw", "pitch"),
    "mouth": ("mouth_opening", "mouth_width"),
    "eyes": ("eye_opening",),
    "brows": ("brow_height",),
    "gaze": ("iris",),
}
SEEN = ("yaw", "pitch", "mouth_opening", "mouth_width", "eye_opening", "brow_height", "iris")
STRENGTHS = (0.5, 1.5)
COMMAND = "python benchmarks/puppet_regions.py --source A.fcv --driver B.fcv --driver-video B.mp4"
DARK_PERCENTILE = 40  # of an eye's pixels, the dark ones are its iris


def iris(picture: np.ndarray, eye: np.ndarray) -> float:
    """Return where the dark part of an eye [6, 2] lies across it, in its widths."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    x, y = eye.T
    margin = 0.12 * (x.max() - x.min())
    inside = (columns > x.min() + margin) & (columns < x.max() - margin)
    inside &= (rows > y.min()) & (rows < y.max())
    grey = picture.mean(2)
    if not inside.any():
        return float("nan")
    dark = inside & (grey <= np.percentile(grey[inside], DARK_PERCENTILE))
    return float((columns[dark].mean() - x.mean()) / (x.max() - x.min()))


def signals(avatar: facecodec.Avatar, controls: np.ndarray) -> dict[str, np.ndarray]:
    """Return the `SEEN` signals of a face at controls [T, K], each [T]; NaN without a face."""
    points = avatar.landmarks(controls)
    pictures = [avatar.preview(row[None], 256)[0] for row in controls.astype(np.float32)]
    rows = []
    for face, picture in zip(points, pictures, strict=True):
        if not np.isfinite(face).all():
            rows.append(dict.fromkeys(SEEN, float("nan")))
            continue
        row = dict(zip(SIGNALS, all_signals(face), strict=True))
        left, right = eye_centres(face)
        row["brow_height"] = float((left[1] + right[1]) / 2 - face[17:27, 1].mean())
        row["brow_height"] /= interocular(face)
        inside = 256 * face
        row["iris"] = (iris(picture, inside[LEFT_EYE]) + iris(picture, inside[RIGHT_EYE])) / 2
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in SEEN}


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation over the frames in which both are known."""
    known = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[known], b[known])[0, 1])


def slope(a: np.ndarray, b: np.ndarray) -> float:
    """Return by how much `a` moves where `b` moves by 1, by least squares."""
    known = np.isfinite(a) & np.isfinite(b)
    x, y = b[known] - b[known].mean(), a[known] - a[known].mean()
    return float((x @ y) / (x @ x))


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--driver", type=Path, required=True)
    parser.add_argument("--driver-video", type=Path)
    parser.add_argument("--max-frames", type=int, default=40)
    parser.add_argument("--only", help="of these alone: full, a region, a strength, dubbing")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    variants: dict[str, dict[str, Any]] = {"full": {}}
    variants |= {region: {"regions": [region]} for region in (*OWN, "jaw")}
    variants |= {f"strength {x}": {"strength": x} for x in STRENGTHS}
    variants["dubbing"] = {"regions": ["mouth", "jaw"], "keep_motion": True, "beyond": "stop"}
    wanted = given.only.split(",") if given.only else list(variants)
    person = facecodec.open(given.source)
    avatar = person.avatar
    read: dict[str, dict[str, np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name, how in variants.items():
            made = folder / f"{name.replace(' ', '_')}.fcv"
            if not made.exists() and name in wanted:
                facecodec.puppet(
                    given.source, given.driver, made, driver_video=given.driver_video,
                    max_frames=given.max_frames, audio=False, **how,
                )  # fmt: skip
            if made.exists():
                read[name] = signals(avatar, facecodec.open(made).controls)
    read["own"] = signals(avatar, person.controls[: given.max_frames])
    rows = [row for name in variants if name in read for row in compared(name, read)]
    for row in rows:
        print(*row, sep=" | ", flush=True)
    columns = ["puppet", "signal", "of the whole puppet's", "others move, at most"]
    save(given.json, COMMAND, None, table={"columns": columns, "rows": rows})


def compared(name: str, read: dict[str, dict[str, np.ndarray]]) -> list[list[str]]:
    """Return the rows of one puppet: its signals beside those of the whole one."""
    here, full = read[name], read["full"]
    if name.startswith("strength"):
        return [[name, s, f"slope {slope(here[s], full[s]):.2f}", ""] for s in SEEN]
    if name == "dubbing":
        frames = min(len(here["yaw"]), len(full["yaw"]), len(read["own"]["yaw"]))
        rows = []
        for s in SEEN:
            to = full if s in OWN["mouth"] else read["own"]
            r = correlation(here[s][:frames], to[s][:frames])
            whose = "the whole puppet" if to is full else "the source"
            rows.append([name, s, f"r {r:.3f} with {whose}", ""])
        return rows
    if name not in [*Region]:
        return []
    own = OWN.get(name, ())
    others = {s: np.nanstd(here[s]) / np.nanstd(full[s]) for s in SEEN if s not in own}
    most = max(others, key=lambda s: others[s])
    leak = f"{others[most]:.2f} ({most})"
    shown = [[name, s, f"r {correlation(here[s], full[s]):.3f}", leak] for s in own]
    return shown or [[name, "", "", leak]]


if __name__ == "__main__":
    main()
