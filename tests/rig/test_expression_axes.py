"""Expression axes: learnt from drawn faces, checked when read, controls like the others."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import facecodec.rig
from facecodec.errors import ModelError
from facecodec.face.signals import all_signals
from facecodec.generator.sampling import Sample
from facecodec.rig.expression_axes import NUM_AXES, find_expression_axes
from facecodec.rig.rig import EXPRESSION_ROWS, Rig

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


def test_expressions_are_controls():
    rig = Rig.load(SHIPPED)
    assert rig.names[-NUM_AXES:] == tuple(f"expression {k + 1}" for k in range(NUM_AXES))
    assert len(rig.names) == len(rig.steps) == len(rig.regions) == 35
    assert rig.regions[-NUM_AXES:] == ("expression",) * NUM_AXES


def test_expressions_are_part_of_a_rigs_identity():
    rig = Rig.load(SHIPPED)
    swapped = replace(rig, expressions=rig.expressions[::-1])
    assert swapped.sha256 != rig.sha256


def test_a_rig_without_expressions_hashes_as_if_it_had_no_such_field():
    rig = replace(Rig.load(SHIPPED), expressions=())
    meaning = asdict(rig)
    del meaning["expressions"], meaning["titles"]
    text = json.dumps(meaning, indent=1, sort_keys=True)
    assert rig.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_rig_of_channels_alone_is_read(tmp_path):
    data = json.loads(SHIPPED.read_text())
    del data["expressions"]
    data["offsets"] += data["offsets"][:NUM_AXES]
    (tmp_path / "rig.json").write_text(json.dumps(data))
    rig = Rig.load(tmp_path / "rig.json")
    assert rig.expressions == () and len(rig.names) == len(rig.regions) == len(rig.steps) == 35


def axes(count: int = NUM_AXES, **changed: object) -> list[dict[str, object]]:
    plain = [{"name": "smile", "direction": [0.0] * 512} for _ in range(count)]
    return [*plain[1:], plain[0] | changed]


@pytest.mark.parametrize(
    "bad",
    [
        axes(direction=[1.0, 2.0]),
        axes(direction=[float("nan")] * 512),
        axes(direction=["a"] * 512),
        axes(direction=[[0.0]] * 512),
        axes(direction=None),
        axes(60),
        [{}] * NUM_AXES,
        7,
        [7] * NUM_AXES,
    ],
)
def test_bad_expressions_are_refused(tmp_path, bad):
    data = json.loads(SHIPPED.read_text()) | {"expressions": bad}
    (tmp_path / "rig.json").write_text(json.dumps(data))
    with pytest.raises(ModelError):
        Rig.load(tmp_path / "rig.json")


def test_expressions_move_only_their_rows(generator):
    """The first rows place the head, the last ones paint it."""
    rig = Rig.load(SHIPPED)
    basis = rig.basis(generator)
    assert basis.shape == (35, generator.num_styles)
    rows = torch.zeros(2, generator.num_ws, generator.w_dim)
    rows[1, EXPRESSION_ROWS] = torch.tensor(rig.expressions[2].direction)
    styles = generator.styles(rows)
    assert torch.allclose(basis[rig.names.index("expression 3")], styles[1] - styles[0], atol=1e-6)
