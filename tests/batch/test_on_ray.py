"""The engine of Ray's tasks, with a stand-in for Ray: what it counts as a try, and what as lost."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from facecodec.batch import run as running
from facecodec.batch.batch import Batch, encode_batch
from facecodec.batch.manifest import NAME, read_manifest
from facecodec.batch.on_ray import RayEngine
from tests.helpers.batch_work import PRETEND


class LostError(Exception):
    """In place of what Ray raises where a node is gone."""


class PretendedRay:
    """A cluster of one core that loses the first tasks that run on it."""

    exceptions = SimpleNamespace(RayError=LostError)

    def __init__(self, losses: int) -> None:
        self.losses, self.asked = losses, {}

    def is_initialized(self):
        return True

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": 1.0}}, {"Alive": False, "Resources": {}}]

    def remote(self, **asked):
        self.asked = asked
        return lambda function: SimpleNamespace(remote=lambda *given: (function, given))

    def wait(self, references, num_returns, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        function, given = reference
        if self.losses:
            self.losses -= 1
            raise LostError("the node is dead\nand much more")
        return function(*given)


@pytest.fixture
def ray(monkeypatch):
    pretended = PretendedRay(1)
    monkeypatch.setitem(sys.modules, "ray", pretended)
    monkeypatch.setattr(running, "FIRST_PAUSE_SECONDS", 0.01)
    return pretended


def encoded(tmp_path: Path, **given: object) -> tuple[dict, dict]:
    """Attempts and errors of two clips."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in "ab":
        (clips / f"{name}.mp4").write_text("good")
    encode_batch(Batch([clips], tmp_path / "out", lambda: RayEngine(perform=PRETEND), **given))
    lines = read_manifest(tmp_path / "out" / NAME).values()
    told = {Path(line["input"]).stem: (line["attempts"], line["error"]) for line in lines}
    return tuple({name: pair[i] for name, pair in told.items()} for i in (0, 1))


def test_a_clip_that_was_lost_with_its_node_is_noted_as_tried_twice(ray, tmp_path):
    attempts, errors = encoded(tmp_path)
    assert attempts == {"a": 2, "b": 1} and errors == {"a": None, "b": None}
    assert ray.asked["max_retries"] == 0  # Ray tries nothing again that the manifest did not count


def test_a_clip_that_is_lost_each_time_says_with_what(ray, tmp_path):
    ray.losses = 2
    attempts, errors = encoded(tmp_path, retries=0)
    assert attempts == {"a": 1, "b": 1}
    assert set(errors.values()) == {"its worker is lost (the node is dead)"}
