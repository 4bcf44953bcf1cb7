"""The tables of whole_frame.py: what is measured there, and which encode of a rival counts."""

from __future__ import annotations

from typing import Any

import numpy as np

from facecodec.study.rivals import ENCODERS

OCTAVES = (2, 4, 8)  # pixels of the frame
REGIONS = ("whole", "head", "face")
MEASURES = (*(f"{what} {region}" for what in ("PSNR", "SSIM") for region in REGIONS),
            *(f"{region} {octave} px" for region in REGIONS for octave in OCTAVES),
            "identity")  # fmt: skip
THREE_DIGITS = ("SSIM", "identity")
PARTS = ("", "/2", "/4")  # of an encoder's side
OVER = 1.03  # times a rate, up to which an encode is at that rate


def best_of(clip: dict[str, Any], name: str, wanted: float) -> dict[str, float]:
    """Return the row of an encoder at a rate: of the size with the most PSNR.

    Where none comes down to the rate, that of the fewest bytes.
    """
    known = [f"{name}{part}" for part in PARTS if f"{name}{part}" in clip["codecs"]]
    rows = [clip["codecs"][coder][f"{wanted:g}"] for coder in known]
    near = [row for row in rows if row["kbps"] <= OVER * wanted]
    if not near:
        return min(rows, key=lambda row: row["kbps"])
    return max(near, key=lambda row: row["PSNR whole"])


def known_in(clips: list[dict[str, Any]]) -> list[str]:
    """Return the encoders that were measured on all clips, at any size."""
    names = [{coder.partition("/")[0] for coder in clip["codecs"]} for clip in clips]
    return [name for name in ENCODERS if all(name in known for known in names)]


def means(clips: list[dict[str, Any]], kbps: list[float]) -> dict[str, Any]:
    """Return the table of means over clips."""
    rows = []
    for wanted in kbps:
        for name in ("facecodec", *known_in(clips)):
            values = [
                clip["codecs"][name][f"{wanted:g}"]
                if name == "facecodec"
                else best_of(clip, name, wanted)
                for clip in clips
            ]
            cells = []
            for measure in MEASURES:
                mean = float(np.mean([row.get(measure, np.nan) for row in values]))
                digits = 3 if measure.startswith(THREE_DIGITS) else 2
                cells.append("-" if np.isnan(mean) else f"{mean:.{digits}f}")
            title = name if name == "facecodec" else ENCODERS[name].title
            reached = float(np.mean([row["kbps"] for row in values]))
            rows.append([f"{wanted:g}", title, f"{reached:.1f}", *cells])
    return {"columns": ["kbps", "codec", "reached", *MEASURES], "rows": rows}


def by_clip(clips: list[dict[str, Any]], kbps: list[float]) -> dict[str, Any]:
    """Return the table of clips: PSNR of facecodec, and of the best of the encoders."""
    rows = []
    for clip in clips:
        for wanted in kbps:
            ours = clip["codecs"]["facecodec"][f"{wanted:g}"]
            cells = [clip["clip"], f"{clip['seconds']:g}", f"{wanted:g}", f"{ours['kbps']:.1f}"]
            for region in REGIONS:
                rows_of = {name: best_of(clip, name, wanted) for name in known_in(clips)}
                theirs = {name: row[f"PSNR {region}"] for name, row in rows_of.items()}
                name = max(theirs, key=lambda name: theirs[name])  # noqa: B023 - called at once
                cells += [f"{ours[f'PSNR {region}']:.2f}"]
                cells += [f"{theirs[name]:.2f} {ENCODERS[name].title}"]
            rows.append(cells)
    columns = ["clip", "s", "kbps", "ours"]
    for region in REGIONS:
        columns += [f"{region}, dB", "best encoder"]
    return {"columns": columns, "rows": rows}
