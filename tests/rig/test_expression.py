"""Expression axes: found among drawn faces, read checked, and no part of what a stream means."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import facecodec.rig
from facecodec.errors import ModelError
from facecodec.face.expression import NUM_POSE, expression
from facecodec.face.signals import all_signals
from facecodec.rig.expression import NUM_AXES, find_expression_axes
from facecodec.rig.rig import Rig
from facecodec.rig.sampling import Sample

SHIPPED = Path(facecodec.rig.__file__).parent / "mobilestylegan-ffhq.json"


def face(yaw: float, mouth: float, jitter: np.ndarray) -> np.ndarray:
    """Return landmarks [68, 2] of a face turned by `yaw` pixels with its lips `mouth` apart."""
    points = 30 * np.random.default_rng(0).uniform(-1, 1, (68, 2)) + 128 + jitter
    points[36:42, 0] -= 60
    points[42:48, 0] += 60
    points[0:8, 0], points[9:17, 0] = 40, 216
    points[48:68] = 128 + points[48:68] / 10 + (0, 60)
    points[30] = 128 + yaw, 150
    points[[65, 66, 67, 55, 56, 57, 58, 59], 1] += mouth
    return points


def sample() -> Sample:
    """Faces whose head follows one coordinate of w, and whose mouth another."""
    rng = np.random.default_rng(1)
    w = rng.standard_normal((600, 512))
    jitter = 0.1 * rng.standard_normal((600, 68, 2))
    points = np.stack(
        [face(8 * x[0], 10 * x[1], j) for x, j in zip(w, jitter, strict=True)]
    )  # fmt: skip
    signals = np.stack([all_signals(p) for p in points])
    return Sample(torch.from_numpy(w).float(), points, signals)


def test_the_first_axis_opens_mouths_and_does_not_turn_heads():
    faces = sample()
    axis = find_expression_axes(faces)[0]
    assert abs(axis.direction[1]) > 0.9
    assert abs(axis.direction[0]) < 0.1
    change = expression(face(0, 20, 0)) - expression(face(0, 0, 0))
    told = np.array(axis.reading) @ change[NUM_POSE:]
    assert told * axis.direction[1] == pytest.approx(2.0, abs=0.2)


def test_expressions_are_no_part_of_a_rigs_identity():
    rig = Rig.load(SHIPPED)
    assert len(rig.expressions) == NUM_AXES
    assert replace(rig, expressions=()).sha256 == rig.sha256
    assert replace(rig, seed=rig.seed + 1).sha256 != rig.sha256


def test_a_rig_without_expressions_is_read(tmp_path):
    data = json.loads(SHIPPED.read_text())
    del data["expressions"]
    (tmp_path / "rig.json").write_text(json.dumps(data))
    assert Rig.load(tmp_path / "rig.json").expressions == ()


def axis(**changed: object) -> list[dict[str, object]]:
    return [{"direction": [0.0] * 512, "reading": [0.0] * 47} | changed]


@pytest.mark.parametrize(
    "bad",
    [
        axis(direction=[1.0, 2.0]),
        axis(direction=[float("nan")] * 512),
        axis(direction=["a"] * 512),
        axis(reading=[1.0]),
        axis(reading=None),
        [{}],
        7,
        [7],
    ],
)
def test_bad_expressions_are_refused(tmp_path, bad):
    data = json.loads(SHIPPED.read_text()) | {"expressions": bad}
    (tmp_path / "rig.json").write_text(json.dumps(data))
    with pytest.raises(ModelError):
        Rig.load(tmp_path / "rig.json")
