"""Leakage: how far each control moves a face away from its person.

    python benchmarks/leakage.py --people 8 --json benchmarks/results/leakage.json

Seeded faces of the generator are drawn with one control at -2 and +2 standard deviations; what is
reported is the mean distance of dlib's face embedding to the same face at rest (the same person
lies within 0.6), and the share of its picture's change that falls into the control's region.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from saved import save
from torch import Tensor

import cuda_ops
from facecodec.cli.progress import shown
from facecodec.face.landmarks import LandmarkFinder
from facecodec.generator.base import Generator
from facecodec.generator.sampling import draw_latents
from facecodec.models import face_embedder, landmark_finder, load_models

PIXELS, FAR, SEED, TRUNCATION = 256, 2.0, 11, 0.7
COMMAND = "python benchmarks/leakage.py"
COLUMNS = ["control", "region", "share in its region", "identity distance at -2", "at +2"]


def embeddings(generator: Generator, styles: Tensor, find: LandmarkFinder) -> np.ndarray:
    """Return dlib's embeddings [N, 128] of styles [N, num_styles], NaN where no face is found."""
    embed = face_embedder()
    rows = []
    for row in styles:
        with torch.inference_mode():
            picture = cuda_ops.rgb8(generator.preview(row[None], PIXELS))[0].numpy()
        points = find(picture)
        rows.append(np.full(128, np.nan) if points is None else embed(picture, points))
    return np.array(rows)


def main() -> None:
    """Measure every control on every face and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--rig", type=Path, help="another rig than the shipped one")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    generator, rig = load_models(rig=given.rig)
    find, basis = landmark_finder(), rig.basis(generator)
    moves = torch.cat(
        [torch.zeros(1, len(basis)), *(s * FAR * torch.eye(len(basis)) for s in (-1, 1))]
    )
    away = []
    with shown() as progress:
        for k, w in enumerate(draw_latents(generator, given.people, SEED, TRUNCATION)):
            find.reset()
            with torch.inference_mode():
                rest = generator.styles(w.expand(1, generator.num_ws, -1))
            embedded = embeddings(generator, rest + moves @ basis, find)
            away.append(np.linalg.norm(embedded[1:] - embedded[0], axis=1).reshape(2, -1))
            progress("people", k + 1, given.people)
    mean = np.nanmean(away, axis=0)
    local = {offset.name: offset.locality for offset in rig.offsets}
    locality = [local.get(name) for name in rig.names]
    rows: list[list[Any]] = [
        [name, region, "" if share is None else f"{share:.2f}", f"{low:.2f}", f"{high:.2f}"]
        for name, region, share, low, high in zip(
            rig.names, rig.regions, locality, *mean, strict=True
        )
    ]
    rows.append(["mean", "", "", f"{mean[0].mean():.2f}", f"{mean[1].mean():.2f}"])
    for row in rows:
        print(*row, sep=" | ")
    save(given.json, COMMAND, table={"columns": COLUMNS, "rows": rows}, distances=mean.tolist())


if __name__ == "__main__":
    main()
