"""Blendshapes out of a stream and into it: names, ranges, what a smile becomes, trackers' files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import facecodec
from facecodec import edits
from facecodec.bitstream import open_stream
from facecodec.errors import UsageError
from facecodec.rig.blendshapes import NAMES, Blendshapes
from facecodec.rig.choice import controls_of
from facecodec.rig.rig import NUM_POSE, shipped_rigs
from tests.helpers import toy_streams as streams
from tests.helpers.commands import run

RIG = next(shipped_rigs())
FRAMES = 12


@pytest.fixture
def talk(tmp_path):
    path = tmp_path / "talk.fcv"
    head = streams.header(rig_sha256=bytes.fromhex(RIG.sha256), precision="f32")
    path.write_bytes(streams.write(FRAMES, head=head))
    return path


def controls_in(path):
    return np.stack([frame.controls for frame in open_stream(path)])


def shape(name: str) -> np.ndarray:
    shapes = np.zeros((1, len(NAMES)))
    shapes[0, NAMES.index(name)] = 1
    return shapes


def test_the_52_names_are_those_of_face_trackers():
    assert len(set(NAMES)) == 52
    assert {"jawOpen", "eyeBlinkLeft", "browInnerUp", "tongueOut", "noseSneerRight"} <= {*NAMES}


@pytest.mark.parametrize(
    "name", ["eyeBlinkLeft", "jawOpen", "mouthSmileLeft", "browDownLeft", "eyeLookOutLeft"]
)
def test_a_blendshape_that_is_asked_for_is_there(name):
    known = Blendshapes.of_rig(RIG)
    controls = known.controls(shape(name))
    assert (controls[:, :NUM_POSE] == 0).all()
    made = known.of(controls)[0]
    assert made[NAMES.index(name)] > 0.15
    assert made[NAMES.index(name)] >= 0.5 * made.max()


def test_shapes_out_and_in_leave_pose_alone(talk, tmp_path):
    table, made = tmp_path / "shapes.csv", tmp_path / "made.fcv"
    run("export", talk, table, "--blendshapes")
    head, *rows = table.read_text().splitlines()
    assert head.split(",")[4:] == list(NAMES)
    values = np.array([row.split(",")[4:] for row in rows], float)
    assert values.shape == (FRAMES, 52) and values.min() >= 0 and values.max() <= 1
    run("edit", talk, made, "--from", table)
    before, after = controls_in(talk), controls_in(made)
    np.testing.assert_array_equal(after[:, :NUM_POSE], before[:, :NUM_POSE])
    known = Blendshapes.of_rig(RIG)
    np.testing.assert_allclose(after[:, NUM_POSE:], known.controls(values)[:, NUM_POSE:], atol=1e-5)


def test_a_trackers_table_is_read(talk, tmp_path):
    names = ["Timecode", "BlendshapeCount", "JawOpen", "EyeBlinkLeft", "HeadYaw", "LeftEyePitch"]
    rows = [f"00:00:0{i % 10}:00.1,61,{i / 20},0.5,0.1,0.2" for i in range(FRAMES)]
    table, made = tmp_path / "tracker.csv", tmp_path / "made.fcv"
    table.write_text("\n".join([",".join(names), *rows]) + "\n")
    facecodec.edit(talk, made, [edits.Replace(table)])
    wanted = np.zeros((FRAMES, 52))
    wanted[:, NAMES.index("jawOpen")] = np.arange(FRAMES) / 20
    wanted[:, NAMES.index("eyeBlinkLeft")] = 0.5
    wanted = Blendshapes.of_rig(RIG).controls(wanted)
    np.testing.assert_allclose(controls_in(made)[:, NUM_POSE:], wanted[:, NUM_POSE:], atol=1e-6)


@pytest.mark.parametrize("kind", [".json", ".npz"])
def test_the_other_kinds_of_table(kind, talk, tmp_path):
    table, made = tmp_path / f"shapes{kind}", tmp_path / "made.fcv"
    done = facecodec.export(talk, table, blendshapes=True)
    assert done.controls == 52
    facecodec.edit(talk, made, [edits.Replace(table)])
    assert not np.array_equal(controls_in(made), controls_in(talk))
    if kind == ".json":
        assert json.loads(table.read_text())["names"] == list(NAMES)


def test_shapes_and_controls_do_not_mix(talk, tmp_path):
    table = tmp_path / "mixed.csv"
    title = RIG.shown_titles[controls_of(RIG, "mouth")[0]]
    table.write_text(f"jawOpen,{title}\n" + "0,0\n" * FRAMES)
    with pytest.raises(UsageError, match="no control or region 'jawOpen'"):
        facecodec.edit(talk, tmp_path / "made.fcv", [edits.Replace(table)])


def test_another_rig_has_no_map():
    other = replace(RIG, offsets=RIG.offsets[:-1])
    with pytest.raises(UsageError, match="no map to blendshapes"):
        Blendshapes.of_rig(other)
