"""No stage mixes tensors of the processor with those of a GPU: the whole way on a pretended one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from facecodec.rig.channels import candidates
from facecodec.rig.measurement import measure
from facecodec.rig.pose_axes import find_pose_axes
from facecodec.rig.sheet import contact_sheet
from facecodec.weights.store import load_generator
from tests.helpers import pretend_gpu
from tests.helpers.commands import run
from tests.helpers.presets import TINY, fast_is


@pytest.fixture
def other_device(monkeypatch):
    """`--device cuda` is the pretended device, and fits are short."""
    with fast_is(replace(TINY, keyframes=1)), pretend_gpu.pretended(monkeypatch):
        yield


def test_a_mixture_is_refused():
    with pretend_gpu.mode():
        there = torch.ones(2, device="cpu").to(pretend_gpu.DEVICE)
        assert float((there + there).cpu().sum()) == 4
        with pytest.raises(pretend_gpu.MixedDevices):
            there + torch.ones(2)
        with pytest.raises(TypeError):
            there.numpy()


@pytest.mark.parametrize("tune", ["none", pytest.param("full", marks=pytest.mark.slow)])
@pytest.mark.usefixtures("other_device", "pose_alone", "finder")
def test_encode_tune_decode_and_puppet(sample, small_rig, tmp_path, tune):
    stream, video, puppet = tmp_path / "a.fcv", tmp_path / "a.mp4", tmp_path / "b.fcv"
    there = ("--device", "cuda", "--rig", small_rig)
    run("encode", sample, stream, *there, "--preset", "fast", "--max-frames", 2, "--tune", tune)
    run("decode", stream, video, *there, "--size", 256)
    assert video.stat().st_size > 1000
    run("puppet", puppet, "--source", stream, "--driver", stream, *there, "--no-retarget")
    assert puppet.stat().st_size > 1000


@pytest.mark.slow
def test_a_rig_is_measured_and_drawn(other_device, finder, rig):
    model = load_generator().to(pretend_gpu.DEVICE)
    measured = measure(model, finder, samples=12, faces=1, probes=1)
    assert len(find_pose_axes(measured.sample)) == 3
    pool = candidates(measured.energy)
    assert all(pool.values())
    few = replace(rig, offsets=rig.offsets[:1], expressions=rig.expressions[:1], titles=())
    sheet = contact_sheet(model, few, size=64)
    assert sheet.std() > 10
