"""Puppets in part: one region of the driver alone, half and more of everything, and dubbing.

    python benchmarks/puppet_regions.py --source a.fcv --driver b.fcv --driver-video b.mp4 \\
        --keep out/ --json benchmarks/results/puppet_regions.json

Signals are read from pictures of the source at the puppet's controls. For a region alone, its
signals are compared with those of the whole puppet by correlation over time, and the standard
deviation of each other signal is given as a share of the whole puppet's, with what is left of that
once noise that differs by frame is taken out. For a strength, the slope of the signals against the
whole puppet's. For dubbing (mouth and jaw of the driver, the source's own motion elsewhere) the
correlation of pose and eyes with the source's own, and of the lips with the whole puppet's, each
with its ceiling (`puppet_faces.ceiling`). The turn of the head is MediaPipe's, which a mouth does
not change; the indices of pose by landmarks stand beside it. What a head shows that turns and does
nothing else stands beside the pose alone. A puppet that `--keep` holds already is not made again.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from puppet_faces import SEEN, Face, agreement, ceiling, noise, read_avatar, slope
from saved import save

import facecodec
from facecodec.face.signals import NUM_POSE
from facecodec.metrics.landmarker import Landmarker
from facecodec.rig.regions import Region
from facecodec.types import Floats

OWN = {
    "pose": ("yaw", "pitch"),
    "mouth": ("mouth_opening", "mouth_width"),
    "eyes": ("eye_opening",),
    "brows": ("brow_height",),
    "gaze": ("gaze",),
}
STRENGTHS = (0.5, 1.5)
TURN = "turn of the head"
ONLY_TURNED = "only turned"  # the source at rest, with nothing but the whole puppet's pose
COLUMNS = ["puppet", "signal", "its motion", "others' motion"]
COMMAND = "python benchmarks/puppet_regions.py --source A.fcv --driver B.fcv --driver-video B.mp4"


def deviation(signal: Floats) -> float:
    """Return the standard deviation of a signal [T] or [T, K]."""
    return float(np.sqrt(np.nanvar(signal, axis=0).sum()))


def sure_deviation(signal: Floats) -> float:
    """Return the standard deviation of a signal [T] or [T, K] without noise that differs by frame.

    See `puppet_faces.noise`.
    """
    wrong = sum(noise(column) ** 2 for column in signal.reshape(len(signal), -1).T)
    return float(np.sqrt(max(deviation(signal) ** 2 - wrong, 0.0)))


def leaks(here: Face, full: Face, own: tuple[str, ...]) -> str:
    """Return how much of the whole puppet's motion signals show that should be still."""
    return ", ".join(
        f"{name} {deviation(here.signals[name]) / deviation(full.signals[name]):.2f}"
        f" ({sure_deviation(here.signals[name]) / deviation(full.signals[name]):.2f})"
        for name in SEEN
        if name not in own
    )


def same(a: Floats, b: Floats) -> str:
    """Return how a signal agrees with another over the frames that both have, and its ceiling."""
    frames = min(len(a), len(b))
    a, b = a[:frames], b[:frames]
    return f"r {agreement(b, a):.3f} ({ceiling(b, a):.2f})"


def compared(name: str, read: dict[str, Face]) -> list[list[str]]:
    """Return the rows of one puppet: its signals beside those of the whole one."""
    here, full, source = read[name], read["full"], read["own"]
    if name.startswith("strength"):
        slopes = ((s, slope(here.signals[s], full.signals[s])) for s in SEEN)
        return [[name, signal, f"slope {value:.2f}", ""] for signal, value in slopes]
    if name == "dubbing":
        rows = []
        for signal in SEEN:
            whose, to = ("whole", full) if signal in OWN["mouth"] else ("source", source)
            found = same(here.signals[signal], to.signals[signal])
            rows.append([name, signal, f"{found} with the {whose}", ""])
        return [*rows, [name, TURN, f"{same(here.turn, source.turn)} with the source", ""]]
    if name not in [*Region]:
        return []
    own = OWN.get(name, ())
    left = leaks(here, full, own)
    shown = [[name, s, same(here.signals[s], full.signals[s]), left] for s in own]
    if name == Region.POSE:
        shown.append([name, TURN, same(here.turn, full.turn), ""])
        shown.append([ONLY_TURNED, "", "", leaks(read[ONLY_TURNED], full, own)])
    return shown or [[name, "", "", left]]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--driver", type=Path, required=True)
    parser.add_argument("--driver-video", type=Path)
    parser.add_argument("--face-landmarker", type=Path)
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
    read: dict[str, Face] = {}
    lent = Landmarker(given.face_landmarker) if given.face_landmarker else nullcontext()
    with tempfile.TemporaryDirectory() as scratch, lent as landmarker:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        read["own"] = read_avatar(avatar, person.controls[: given.max_frames], landmarker)
        rows: list[list[str]] = []
        for name, how in variants.items():
            made = folder / f"{name.replace(' ', '_')}.fcv"
            if not made.exists() and name in wanted:
                facecodec.puppet(
                    given.source, given.driver, made, driver_video=given.driver_video,
                    max_frames=given.max_frames, audio=False, **how,
                )  # fmt: skip
            if not made.exists() or (name not in wanted and name != "full"):
                continue
            controls = facecodec.open(made).controls
            read[name] = read_avatar(avatar, controls, landmarker)
            if name == "full" and Region.POSE in wanted:
                controls = np.where(np.arange(controls.shape[1]) < NUM_POSE, controls, 0)
                read[ONLY_TURNED] = read_avatar(avatar, controls, landmarker)
            rows += compared(name, read)
            for row in compared(name, read):
                print(*row, sep=" | ", flush=True)
            save(given.json, COMMAND, None, table={"columns": COLUMNS, "rows": rows})


if __name__ == "__main__":
    main()
