"""A batch on processes of this machine, whose work is pretended: who does what, and what stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from facecodec.batch import run as running
from facecodec.batch.batch import Batch, encode_batch
from facecodec.batch.local import LocalEngine
from facecodec.batch.manifest import NAME, read_manifest
from facecodec.batch.run import Tally
from facecodec.errors import UsageError
from tests.helpers.batch_work import PRETEND

# as the command does it, with workers that pretend
COMMAND = f"""
import sys
from functools import partialmethod
from facecodec.batch.local import LocalEngine
from facecodec.cli.main import run
LocalEngine.__init__ = partialmethod(LocalEngine.__init__, perform={PRETEND!r})
run(sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(running, "FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def clips(tmp_path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    return folder


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.mp4").write_text(text)


def encode(clips: Path, workers: int = 1, **given: object) -> Tally:
    out = clips.parent / "out"
    usual = {"engine": lambda: LocalEngine(workers, PRETEND), "settings": {"preset": "fast"}}
    return encode_batch(Batch([clips], out, **{"resume": True, **usual, **given}))


def manifest(clips: Path) -> dict[str, dict]:
    lines = read_manifest(clips.parent / "out" / NAME)
    return {Path(line["input"]).stem: line for line in lines.values()}


def tries(clips: Path) -> Counter:
    """How often each clip was begun."""
    return Counter(
        {path.name.split(".")[0]: len(path.read_text().splitlines())
         for path in clips.glob("**/*.tries")}
    )  # fmt: skip


def test_each_clip_once_and_failures_stop_nobody(clips):
    write(clips, a="good", b="nobody", c="breaks", d="fails 1", e="dies 1", f="dies 9")
    tally = encode(clips, workers=2)
    assert (tally.total, tally.done, tally.failed, tally.skipped) == (6, 3, 3, 0)
    assert tries(clips) == {"a": 1, "b": 1, "c": 3, "d": 2, "e": 2, "f": 3}
    lines = manifest(clips)
    states = {name: (line["state"], line["attempts"]) for name, line in lines.items()}
    assert states == {
        "a": ("done", 1), "b": ("failed", 1), "c": ("failed", 3),
        "d": ("done", 2), "e": ("done", 2), "f": ("failed", 3),
    }  # fmt: skip
    assert lines["b"]["error"].endswith("b.mp4: no face")
    assert lines["c"]["error"] == "ZeroDivisionError: something unforeseen"
    assert lines["f"]["error"] == "its worker was killed by signal 9"
    assert lines["a"]["result"]["frames"] == 2 and lines["a"]["worker"]
    written = sorted(path.name for path in (clips.parent / "out").iterdir())
    assert written == ["a.fcv", "d.fcv", "e.fcv", NAME]


def test_what_is_done_is_skipped_and_what_changed_is_done_again(clips):
    write(clips, a="good", b="good", c="good", d="good", e="nobody")
    encode(clips)
    out = clips.parent / "out"
    (clips / "b.mp4").write_text("other")
    os.utime(clips / "c.mp4")
    (out / "d.fcv").unlink()
    tally = encode(clips)
    assert (tally.done, tally.skipped, tally.failed) == (2, 2, 1)
    assert tries(clips) == {"a": 1, "b": 2, "c": 1, "d": 2, "e": 2}
    assert (out / "b.fcv").read_text() == "other"
    assert all(line["result"] == {"frames": 2} for n, line in manifest(clips).items() if n != "e")
    (clips / "e.mp4").unlink()
    assert encode(clips).skipped == 4
    assert encode(clips, settings={"preset": "slow"}).done == 4
    assert tries(clips)["a"] == 2


def test_a_worker_that_cannot_begin_says_why(clips):
    write(clips, a="good")
    tally = encode(clips, engine=lambda: LocalEngine(1, "facecodec.nowhere:perform"))
    assert tally.failed == 1
    error = manifest(clips)["a"]["error"]
    assert error.startswith("its worker ended with 1: ModuleNotFoundError")


def test_nothing_to_do_starts_no_worker(clips):
    write(clips, a="good")
    encode(clips)

    def none() -> LocalEngine:
        raise AssertionError("a worker was started")

    batch = Batch([clips], clips.parent / "out", none, settings={"preset": "fast"}, resume=True)
    assert encode_batch(batch).skipped == 1


def test_a_folder_with_a_manifest_is_gone_on_with_only_if_asked_to(clips):
    write(clips, a="good")
    encode(clips, resume=False)
    with pytest.raises(UsageError, match="exists already"):
        encode(clips, resume=False)
    assert encode(clips, resume=False, force=True).done == 1
    assert len((clips.parent / "out" / NAME).read_text().splitlines()) == 2  # begun, done


def test_an_output_of_somebody_else_stays(clips):
    write(clips, a="good", b="good")
    (clips.parent / "out").mkdir()
    (clips.parent / "out" / "a.fcv").write_text("mine")
    tally = encode(clips)
    assert (tally.done, tally.failed) == (1, 1)
    assert (clips.parent / "out" / "a.fcv").read_text() == "mine"
    assert "exists already" in manifest(clips)["a"]["error"]
    assert encode(clips, force=True).done == 1


def test_an_output_of_this_batch_is_replaced_after_a_failure_too(clips):
    write(clips, a="good")
    encode(clips)
    write(clips, a="nobody")
    assert encode(clips).failed == 1
    write(clips, a="better")
    assert encode(clips).done == 1
    assert (clips.parent / "out" / "a.fcv").read_text() == "better"


def test_another_version_does_it_again(clips, monkeypatch):
    write(clips, a="good")
    encode(clips)
    monkeypatch.setattr("facecodec.batch.manifest.__version__", "9")
    assert encode(clips).done == 1


def test_a_manifest_that_was_cut_short_is_read_as_far_as_it_goes(clips):
    write(clips, a="good", b="good")
    encode(clips)
    path = clips.parent / "out" / NAME
    text = path.read_text()
    path.write_text(text[: len(text) - 40])
    tally = encode(clips)
    assert (tally.done, tally.skipped) == (1, 1)
    assert len(manifest(clips)) == 2 and encode(clips).skipped == 2


def command(clips: Path, *more: str) -> subprocess.Popen[str]:
    words = ["batch", "encode", clips, "--out", clips.parent / "out", "--preset", "fast", *more]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def until(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.02)


def test_ctrl_c_loses_what_is_in_flight_alone(clips):
    write(clips, a="good", b="sleeps 100", c="good")
    process = command(clips, "--workers", "1")
    until(clips / "b.mp4.sleeping")
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and time.monotonic() - begin < 10
    assert error.strip().splitlines()[-1] == "facecodec: interrupted"
    states = {name: line["state"] for name, line in manifest(clips).items()}
    assert states == {"a": "done", "b": "begun"}
    write(clips, b="good")
    process = command(clips, "--resume", "--json")
    result = json.loads(process.communicate(timeout=60)[0])
    assert (result["done"], result["skipped"], process.returncode) == (2, 1, 0)


def test_workers_end_with_the_batch_that_is_killed(clips):
    write(clips, a="sleeps 100")
    process = command(clips, "--workers", "1")
    until(clips / "a.mp4.sleeping")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while Path(f"/proc/{children[0]}/cmdline").exists():
        if not Path(f"/proc/{children[0]}/cmdline").read_bytes():
            break  # ended, and nobody waits for it
        assert time.monotonic() < end
        time.sleep(0.05)


def test_two_batches_in_one_folder(clips):
    write(clips, a="sleeps 100")
    process = command(clips, "--workers", "1")
    until(clips / "a.mp4.sleeping")
    with pytest.raises(UsageError, match="another batch"):
        encode(clips)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_a_clip_that_fails_ends_the_command_with_1(clips):
    write(clips, a="nobody", b="good")
    process = command(clips)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "1 done, 0 skipped, 1 failed of 2 clips" in error
    assert "a.mp4: no face" in error
