"""An encode that is killed goes on where it was, to the same bytes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import facecodec
from facecodec import checkpoint
from facecodec.avatar.face import FaceReader
from facecodec.checkpoint import Checkpoint, Replay, keeping, packed, stage, unpacked
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Scan
from facecodec.encoding import checkpoint as encoding_checkpoint
from facecodec.encoding.checkpoint import resumable
from facecodec.errors import UsageError
from facecodec.fit import recovery
from facecodec.fit.descent import descend, shuffled_rounds
from facecodec.fit.tracking import Tracker
from tests.helpers.presets import TINY

# encodes, keeping what is done at every opportunity; is killed when it has told of its progress
# so many times
KILLED = """
import os, signal, sys
import facecodec
from facecodec import checkpoint
from facecodec.process import set_process_defaults
from tests.helpers.presets import TINY
set_process_defaults()
checkpoint.KEEP_SECONDS = checkpoint.MOST_SECONDS = 0.0
source, output, rig, tune, left = *sys.argv[1:5], int(sys.argv[5])
def report(stage, done, total):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
facecodec.encode(source, output, preset=TINY, rig=rig, tune=tune, max_frames=4, checkpoint=True,
                 progress=report)
"""


def encode_killed(sample, output, rig, tune, after: int) -> int:
    words = [sample, output, rig, tune, after]
    return subprocess.run([sys.executable, "-c", KILLED, *map(str, words)], timeout=300).returncode


def undisturbed(sample, folder: Path, rig, tune: str) -> tuple[bytes, list[str]]:
    """The stream, and the stages that were told, once for each time."""
    told: list[str] = []
    facecodec.encode(
        sample, folder / "whole.fcv", preset=TINY, rig=rig, tune=tune, max_frames=4,
        progress=lambda name, done, total: told.append(name),
    )  # fmt: skip
    return (folder / "whole.fcv").read_bytes(), told


class Stopped(Exception):
    """An encode ends here."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_kills_one_after_the_other(sample, finder, tmp_path, small_rig):
    wanted, told = undisturbed(sample, tmp_path, small_rig, "light")
    draw = np.random.default_rng(6)
    output = tmp_path / "out.fcv"
    for _ in range(10):
        code = encode_killed(sample, output, small_rig, "light", int(draw.integers(1, 12)))
        if code == 0:
            break
        assert code == -signal.SIGKILL and not output.exists()
    stages: list[str] = []
    if not output.exists():
        facecodec.encode(
            sample, output, preset=TINY, rig=small_rig, tune="light", max_frames=4,
            checkpoint=True, progress=lambda name, done, total: stages.append(name),
        )  # fmt: skip
        assert len(stages) < len(told)
    assert output.read_bytes() == wanted
    assert sorted(path.name for path in tmp_path.glob("out.fcv*")) == ["out.fcv"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_at_ten_moments(sample, finder, tmp_path, small_rig):
    wanted, told = undisturbed(sample, tmp_path, small_rig, "none")
    draw = np.random.default_rng(5)
    for k, after in enumerate(sorted(draw.choice(len(told), 10, replace=False).tolist())):
        output = tmp_path / f"{k}.fcv"
        assert encode_killed(sample, output, small_rig, "none", after + 1) == -signal.SIGKILL
        again: list[str] = []
        facecodec.encode(
            sample, output, preset=TINY, rig=small_rig, max_frames=4, checkpoint=True,
            progress=lambda name, done, total, again=again: again.append(name),
        )  # fmt: skip
        assert output.read_bytes() == wanted, (after, told[after])
        # what was told before it was killed is not told again, but for what was in the making
        assert len(again) <= len(told) - after + 2, (after, told[after])


@pytest.mark.usefixtures("pose_alone")
def test_what_lies_there_while_tracking(sample, finder, tmp_path, small_rig, monkeypatch):
    """What is kept at a moment, as a kill would leave it, leads to the same stream."""
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SECONDS", 0.0)
    whole, cut = tmp_path / "whole.fcv", tmp_path / "cut.fcv"
    told: list[str] = []

    def encode(output: Path, frames: int = 3, copy: Path | None = None) -> bytes:
        told.clear()

        def report(stage, done, total):
            told.append(stage)
            if copy and stage == "tracking" and done == 2:
                shutil.copytree(f"{output}.checkpoint", f"{copy}.checkpoint")

        facecodec.encode(
            sample, output, preset=replace(TINY, keyframes=1), rig=small_rig,
            max_frames=frames, checkpoint=True, progress=report,
        )  # fmt: skip
        return output.read_bytes()

    wanted = encode(whole, copy=cut)
    with pytest.raises(UsageError, match="differs in: settings") as refused:
        encode(cut, frames=2)
    assert not hasattr(refused.value, "__notes__")
    assert encode(cut) == wanted
    assert set(told) == {"tracking", "reading the decoded face"}
    assert told.count("tracking") == 2  # of three frames, the first was kept
    assert sorted(path.name for path in tmp_path.glob("*.fcv*")) == ["cut.fcv", "whole.fcv"]


@pytest.mark.slow
def test_a_search_for_expressions_goes_on_where_it_was(
    sample, finder, tmp_path, small_rig, monkeypatch
):
    """It takes half a minute of hundreds of readings, between two fits that are kept."""
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SECONDS", 0.0)
    for name in ("LOST_RATIO", "NEVER_LOST_BELOW", "ALWAYS_LOST_ABOVE"):
        monkeypatch.setattr(recovery, name, 0.0)  # every frame is lost
    plan = replace(TINY, inversion=replace(TINY.inversion, recovery=True))
    made: list[str] = []
    read, track = FaceReader.landmarks, Tracker.track

    def enrolled(output: Path, stop: int | None = None) -> bytes:
        made.clear()

        def noted(name, call):
            def called(*given, **named):
                if stop is not None and len(made) == stop:
                    raise Stopped
                made.append(name)
                return call(*given, **named)

            return called

        monkeypatch.setattr(FaceReader, "landmarks", noted("reading", read))
        monkeypatch.setattr(Tracker, "track", noted("frame", track))
        facecodec.encode(sample, output, preset=plan, rig=small_rig, tune="none", max_frames=3,
                         id_frame=0, checkpoint=True, live=True)  # fmt: skip
        return output.read_bytes()

    wanted, steps = enrolled(tmp_path / "whole.fcv"), list(made)
    steps = steps[: -1 - steps[::-1].index("reading")]  # up to the last one
    assert steps[0] == "frame" and len(steps) > 40
    output = tmp_path / "cut.fcv"
    done = 0
    for stop in (1, len(steps) // 2, len(steps) - 4):
        with pytest.raises(Stopped):
            enrolled(output, stop - done)
        assert made == steps[done:stop]
        done = stop
    assert enrolled(output) == wanted and made[: len(steps) - done] == steps[done:]


def test_an_error_says_where_what_was_done_is_kept(sample, finder, tmp_path):
    def report(stage, done, total):
        raise Stopped

    with pytest.raises(Stopped) as stopped:
        facecodec.encode(sample, tmp_path / "a.fcv", checkpoint=True, progress=report)
    assert "the same command goes on" in stopped.value.__notes__[0]
    assert (tmp_path / "a.fcv.checkpoint").stat().st_mode & 0o777 == 0o700


def test_a_state_comes_back_as_it_was():
    state = {
        "none": None, "text": "é", "list": [1, 2.5, [np.arange(6.0).reshape(2, 3)]],
        ("a", 3): torch.arange(3), "scalar": np.float64(0.1), "empty": [],
        "nan": np.array([np.nan]), 7: np.zeros((0, 2)), "dictionary": {1: {2: True}},
    }  # fmt: skip
    back = unpacked(packed(state))
    assert back.keys() == state.keys()
    assert back["list"][:2] == [1, 2.5] and back["list"][2][0].shape == (2, 3)
    assert back["a", 3].tolist() == [0, 1, 2] and back["scalar"] == 0.1
    assert np.isnan(back["nan"][0]) and back[7].shape == (0, 2)
    assert back["dictionary"] == {1: {2: True}} and back["text"] == "é" and back["none"] is None


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff" * 100, packed([1])[:-3]])
def test_a_damaged_state_is_none(data):
    with pytest.raises(ValueError):
        unpacked(data)


def test_rows_that_no_state_counts_are_made_again(tmp_path):
    for count in (3, 5):
        with keeping(Checkpoint(tmp_path)):
            kept = stage("rows")
            first = 0 if kept.known is None else kept.known
            rows = kept.rows(first, 2)
            assert rows.tolist() == [[i, -i] for i in range(first)]
            for i in range(first, count):
                kept.add(np.array([i, -i]))
                if i < count - 1:
                    kept.keep(i + 1)
    with keeping(Checkpoint(tmp_path)):
        kept = stage("rows")
        assert kept.known == 4 and len(kept.rows(4, 2)) == 4
        with pytest.raises(ValueError, match="fewer rows"):
            kept.rows(6, 2)


def test_stages_are_counted_within_what_they_are_part_of(tmp_path):
    def make(value: int):
        def made():
            part = stage("part")
            part.keep(value)
            return value

        return made

    for _ in range(2):
        with keeping(Checkpoint(tmp_path)):
            assert checkpoint.made_once("a", make(1)) == 1
            assert checkpoint.made_once("b", make(2)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-1.stage", "b-1.stage"]
    assert stage("part").known is None and not stage("part").due()


@pytest.mark.parametrize("name", ["code", "libraries"])
def test_what_other_code_has_begun_is_refused(sample, tmp_path, monkeypatch, name):
    """Half by this code and half by that, it would come to what neither comes to alone."""
    output = tmp_path / "a.fcv"
    files = {"source": sample}
    with pytest.raises(Stopped), resumable(output, files, "", wanted=True):
        raise Stopped
    with resumable(output, files, "", wanted=True):
        stage("one").keep(1)
        shutil.copytree(f"{output}.checkpoint", tmp_path / "b.fcv.checkpoint")
    packages = encoding_checkpoint.PACKAGES
    code = tmp_path / "code"
    shutil.copytree(packages[1], code)
    (code / "version.py").write_text("__version__ = 0\n")
    if name == "code":
        monkeypatch.setattr(encoding_checkpoint, "PACKAGES", (packages[0], code))
    else:
        monkeypatch.setattr(np, "__version__", "0.9")
    with (
        pytest.raises(UsageError, match=f"differs in: {name};"),
        resumable(tmp_path / "b.fcv", files, "", wanted=True),
    ):
        pass


def test_what_cannot_be_kept_is_refused_at_once(sample, tmp_path):
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    with pytest.raises(UsageError, match="cannot be read again"):
        facecodec.encode(frames, tmp_path / "a.fcv", preset=TINY, checkpoint=True)
    with pytest.raises(UsageError, match="no checkpoint"):
        facecodec.encode(sample, tmp_path / "a.fcv", preset="live", checkpoint=True)
    (tmp_path / "a.fcv.checkpoint").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        facecodec.encode(sample, tmp_path / "a.fcv", preset=TINY, checkpoint=True)


def test_a_descent_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SECONDS", 0.0)
    target = torch.linspace(-1, 1, 7)

    def fitted(stop: int | None = None) -> torch.Tensor:
        leaf = torch.zeros(7, requires_grad=True)
        for step, frame in descend([([leaf], 0.1)], shuffled_rounds(3), 6):
            if step == stop:
                raise Stopped
            torch.autograd.backward((leaf - target * (1 + frame)).square().sum())
        return leaf.detach()

    wanted = fitted()
    for stop in (2, 5, None):
        with keeping(Checkpoint(tmp_path)):
            if stop is not None:
                with pytest.raises(Stopped):
                    fitted(stop)
            else:
                assert torch.equal(fitted(), wanted)
    with keeping(Checkpoint(tmp_path)):  # one that has ended
        assert torch.equal(fitted(stop=0), wanted)


class Sum:
    """Adds up what it is given, and remembers it."""

    def __init__(self) -> None:
        self.total, self.calls = 0, 0

    def state(self) -> int:
        return self.total

    def restore(self, state: int) -> None:
        self.total = state

    def add(self, value: int) -> np.ndarray:
        self.calls, self.total = self.calls + 1, self.total + value
        return np.array([self.total, np.nan])


def test_calls_that_were_kept_are_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SECONDS", 0.0)

    def totals(values: list[int]) -> tuple[list[int], int]:
        memory = Sum()
        replay = Replay(stage("sums"), 2, memory)
        rows = [replay(lambda value=value: memory.add(value)) for value in values]
        return [int(row[0]) for row in rows], memory.calls

    assert totals([3, 5, 7]) == ([3, 8, 15], 3)  # with no checkpoint
    for values, made in (([3, 5], 2), ([3, 5, 7], 1), ([3, 5, 7], 0)):
        with keeping(Checkpoint(tmp_path)):
            assert totals(values) == ([3, 8, 15][: len(values)], made)


def test_a_look_for_faces_goes_on_where_it_was(sample, finder, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SECONDS", 0.0)

    def scan(stage: str = "", at: int = 0) -> Scan:
        def report(name: str, done: int, total: int | None) -> None:
            if (name, done) == (stage, at):
                raise Stopped

        with Clip.open(sample, max_frames=5, progress=report) as clip:
            return clip.scan

    wanted = scan()
    for stage_, at in (("finding the face", 3), ("looking for occlusions", 2)):
        with keeping(Checkpoint(tmp_path)), pytest.raises(Stopped):
            scan(stage_, at)
    with keeping(Checkpoint(tmp_path)):
        again = scan("finding the face", 3)
    for name in ("pts", "landmarks", "seen", "sharpness", "occluded", "other"):
        assert np.array_equal(getattr(again, name), getattr(wanted, name)), name
    assert again.alignments == wanted.alignments
    assert np.array_equal(again.people.embeddings, wanted.people.embeddings)
