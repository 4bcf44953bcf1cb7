"""What live tracking needs of a person is learnt once, and read from the cache from then on."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from facecodec.avatar.avatar import Avatar
from facecodec.encoding import preparation
from facecodec.encoding.preparation import DIGEST_BYTES, KEPT_PERSONS, prepared
from facecodec.encoding.presets import LIVE_TRACKING
from facecodec.fit.landmark_guide import LandmarkGuide
from facecodec.fit.photometric import TrackingPlan, pyramid_values
from facecodec.fit.preparation import Preparation
from facecodec.generator.short_preview import weight_shape
from facecodec.models import FaceModel
from facecodec.progress import silent
from facecodec.weights.store import read_record

PLAN = replace(LIVE_TRACKING, size=64, preview_renders=1, prepared_renders=10)


@pytest.fixture(scope="module")
def avatar(generator, rig):
    return Avatar(FaceModel(generator, rig), generator.broadcast(generator.w_mean[None])[0].numpy())


@pytest.fixture
def folder(tmp_path, monkeypatch, finder):
    """An empty cache."""
    record = read_record("dlib-landmarks")
    monkeypatch.setattr(preparation, "home", lambda: tmp_path)
    monkeypatch.setattr(preparation, "read_record", lambda name: record)
    return tmp_path / preparation.FOLDER


def made_up(avatar: Avatar, plan: TrackingPlan, seed: int) -> Preparation:
    """A preparation of the right shapes."""
    draw, count = np.random.default_rng(seed), avatar.num_controls
    arrays = {
        "preview_error": draw.random((3, plan.size, plan.size), np.float32),
        "preview_weight": draw.random(weight_shape(avatar.generator, plan.size), np.float32),
        "derivative": draw.random((pyramid_values(plan.size), count), np.float32),
        "landmarks": draw.random((68, 2)),
        "landmark_derivative": draw.random((count, 136)),
    }
    turned = arrays.pop("landmark_derivative").T  # lies in memory as a solution may: by columns
    mean = arrays.pop("landmarks")
    known = Preparation.from_arrays(arrays, avatar.generator, count, plan)
    return replace(known, guide=LandmarkGuide(turned, mean))


@pytest.fixture
def learnt(monkeypatch):
    """How often something was learnt, which is made up."""
    times: list[int] = []

    def learn(avatar, plan, progress):
        times.append(1)
        return made_up(avatar, plan, len(times))

    monkeypatch.setattr(preparation, "learn", learn)
    return times


def same(a: Preparation, b: Preparation) -> bool:
    one, other = a.arrays(), b.arrays()
    return set(one) == set(other) and all((one[k] == other[k]).all() for k in one)


def test_the_second_time_it_is_read(avatar, folder, learnt):
    first = prepared(avatar, PLAN, silent)
    [file] = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    second = prepared(avatar, PLAN, silent)
    assert len(learnt) == 1 and same(first, second)
    assert first.derivative.jacobian is not second.derivative.jacobian


def test_what_is_learnt_is_what_is_kept(avatar, folder, monkeypatch):
    monkeypatch.setattr(preparation.landmark_guide, "landmark_guide", lambda *_: None)
    first, second = (prepared(avatar, PLAN, silent) for _ in range(2))
    assert same(first, second) and first.guide is None


def test_another_plan_or_person_is_learnt_again(avatar, folder, learnt):
    prepared(avatar, PLAN, silent)
    prepared(avatar, replace(PLAN, prepared_renders=8), silent)
    prepared(Avatar(avatar.model, avatar.latent + 0.1), PLAN, silent)
    assert len(learnt) == 3 and len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("damage", ["a bit", "cut", "empty", "other shapes", "not finite"])
def test_a_damaged_file_is_learnt_again(damage, avatar, folder, learnt):
    first = prepared(avatar, PLAN, silent)
    [file] = folder.iterdir()
    data = bytearray(file.read_bytes())
    if damage == "a bit":
        data[len(data) // 2] ^= 1
    elif damage == "cut":
        del data[-100:]
    elif damage == "empty":
        data.clear()
    else:
        arrays = first.arrays()
        if damage == "other shapes":
            arrays["landmarks"] = arrays["landmarks"][:1]
        else:
            arrays["landmarks"] = np.full((68, 2), np.nan)
        body = preparation.save(arrays)
        data = bytearray(preparation.hashlib.sha256(body).digest() + body)
        assert len(data) > DIGEST_BYTES
    file.write_bytes(data)
    second = prepared(avatar, PLAN, silent)
    assert len(learnt) == 2
    assert second.guide is not None and np.isfinite(second.guide.mean).all()
    prepared(avatar, PLAN, silent)
    assert len(learnt) == 2  # the file is whole again


def test_those_used_least_are_removed(avatar, folder, learnt):
    folder.mkdir()
    for i in range(KEPT_PERSONS):
        old = folder / f"{i}.prepared"
        old.write_bytes(b"old")
        os.utime(old, (i, i))
    (folder / "notes.txt").write_text("mine")
    prepared(avatar, PLAN, silent)
    left = {path.name for path in folder.iterdir()}
    assert "0.prepared" not in left and "1.prepared" in left and "notes.txt" in left
    assert len(left) == KEPT_PERSONS + 1


def test_a_cache_that_cannot_be_written_costs_time_alone(avatar, folder, learnt):
    folder.parent.joinpath(folder.name).write_text("a file where the folder should be")
    assert prepared(avatar, PLAN, silent).guide
    prepared(avatar, PLAN, silent)
    assert len(learnt) == 2
