"""A worker loads its models once, and reads one again that was reinstalled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import facecodec.models
from facecodec.batch.task import Outcome, Task
from facecodec.batch.work import perform
from facecodec.models import keep_models, load_models
from facecodec.weights.store import load_generator, verify
from tests.helpers.streams import make_stream


@pytest.fixture
def loads(monkeypatch):
    """Names of the generators that were loaded, in order."""
    names = []

    def counted(name):
        names.append(name)
        return load_generator(name)

    monkeypatch.setattr(facecodec.models, "load_generator", counted)
    monkeypatch.setattr(facecodec.models, "_kept", None)
    return names


def test_two_tasks_load_once_and_give_the_same(loads, generator, rig, tmp_path):
    stream = make_stream(tmp_path / "talk.fcv", generator, rig, 1)
    settings = {"size": 256, "device": "cpu"}
    for name in ("one", "two"):
        task = Task("decode", {"source": str(stream)}, str(tmp_path / f"{name}.y4m"), settings)
        outcome = Outcome.from_json(perform(task.to_json()))
        assert outcome.state == "done", outcome.error
    assert len(loads) == 1
    assert (tmp_path / "one.y4m").read_bytes() == (tmp_path / "two.y4m").read_bytes()


def test_who_did_not_ask_keeps_nothing(loads, generator):
    assert load_models(device="cpu").generator is not load_models(device="cpu").generator
    assert len(loads) == 2


def test_a_model_that_was_reinstalled_is_read_again(loads, generator, monkeypatch):
    keep_models()
    load_models(device="cpu")
    other = replace(verify(generator.name), file_sha256="0" * 64)
    monkeypatch.setattr(facecodec.models, "verify", lambda _: other)
    load_models(device="cpu")
    assert len(loads) == 2


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux says what is mapped")
def test_workers_of_one_machine_share_the_weights(generator):
    """They lie in the pages of their file."""
    assert f"/{generator.name}.safetensors" in Path("/proc/self/maps").read_text()
