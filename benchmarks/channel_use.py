"""Which controls real motion uses least: those that whole expressions may take the place of.

    python benchmarks/channel_use.py clip.fcv=clip.mp4 other.fcv=other.mp4 \\
        --json benchmarks/results/channel_use.json

Input: streams of `encode`, not tuned, each with its source video. A control's use is how much more
of the pictures would be left unexplained, had it been 0 and all others stood in for it as well as
they can: c^2 / inv(H)[k, k], its mean over the frames, with H the information of the tracker's
pictures at the clip's median controls. Shares of a clip's sum, and their mean over clips.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from saved import save

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import open_stream
from facecodec.cli.progress import shown
from facecodec.clip.clip import Clip
from facecodec.clip.scan import SQUARE_PIXELS, Span
from facecodec.fit.objective import inner_weights, shrink
from facecodec.fit.photometric import Problem, TrackingPlan, pyramid_weights
from facecodec.fit.tracking import Tracker
from facecodec.rig.rig import Rig
from facecodec.video.reader import VideoReader

COMMAND = "python benchmarks/channel_use.py STREAM=CLIP ..."


def use(path: Path, clip: Path, rig_file: Path | None) -> tuple[Rig, np.ndarray]:
    """Return the rig of a stream and the share [K] that each control has in what it explains."""
    stream = open_stream(path)
    person = Avatar.from_stream(stream, rig=rig_file, device="cpu")
    avatar = Avatar(person.model, person.latent)
    controls = np.array([f.controls for f in stream.frames()], np.float64)
    plan, examples = TrackingPlan(), torch.from_numpy(controls)
    tracker = Tracker(avatar.generator, avatar.basis, avatar.styles, plan, examples)
    middle = int(np.argmin(np.abs(controls - np.median(controls, 0)).sum(1)))
    blank, span = (
        np.zeros((SQUARE_PIXELS, SQUARE_PIXELS, 3), np.uint8),
        Span(max_frames=len(controls)),
    )
    with shown() as progress:
        seen = Clip(VideoReader(clip), span, occlusions=False, progress=progress)
        target = seen.target(middle, blank, torch.device("cpu"))
    weights = shrink(inner_weights(target)[None], plan.size).expand(-1, 3, -1, -1)
    around = tracker.derivatives.linearise(torch.from_numpy(controls[middle]))
    shown_there = torch.zeros(len(around.jacobian))  # as wanted: no pixel is an outlier
    problem = Problem(
        shown_there, pyramid_weights(weights), plan, tracker.prior, tracker.motion, None
    )
    information = problem.normal_equations(around, shown_there)[0] + torch.diag(
        problem.prior_precision
    )
    alone = np.linalg.inv(information.numpy())
    used = (controls**2 / np.diag(alone)).mean(0)
    return avatar.rig, used / used.sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="STREAM=CLIP")
    parser.add_argument("--rig", type=Path, help="the rig of the streams, where it is not shipped")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    shares = []
    for pair in given.pairs:
        stream, _, clip = pair.partition("=")
        rig, share = use(Path(stream), Path(clip), given.rig)
        shares.append(share)
    mean = np.mean(shares, axis=0)
    rows: list[list[Any]] = [
        [rig.names[k], rig.regions[k], *(f"{100 * value:.1f} %" for value in (mean[k], *of))]
        for k, of in sorted(
            enumerate(np.transpose(shares)), key=lambda pair: float(mean[pair[0]])
        )
    ]  # fmt: skip
    for row in rows:
        print(*row, sep=" | ")
    columns = ["control", "region", "mean", *(Path(p.partition("=")[2]).stem for p in given.pairs)]
    save(given.json, COMMAND, table={"columns": columns, "rows": rows})


if __name__ == "__main__":
    main()
