"""Long clips of a batch in parts: who does what, and when."""

from __future__ import annotations

import shutil

import pytest

import facecodec
from facecodec.batch.batch import Batch, encode_batch
from facecodec.batch.local import LocalEngine, worker_threads
from facecodec.batch.manifest import NAME, read_manifest
from tests.helpers.batch_work import PRETEND, TINY_PARTS, short_sections
from tests.helpers.presets import TINY, fast_is
from tests.helpers.threads import threads

WORKERS = 2


def encode(clips, parts, **given):
    engine = given.pop("engine", lambda: LocalEngine(2, PRETEND))
    return encode_batch(Batch([clips], clips.parent / "out", engine, resume=True), parts=parts)


def tried(clips):
    return {
        path.stem: sorted(map(int, path.with_name(path.name + ".parts").read_text().split()))
        for path in clips.glob("*.mp4")
    }


def test_prepared_then_tracked_then_encoded(tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for name, text in {"long": "good 3", "short": "good 1", "none": "nobody"}.items():
        (clips / f"{name}.mp4").write_text(text)
    tally = encode(clips, 4)
    assert (tally.verb, tally.total, tally.done, tally.failed) == ("encode", 3, 2, 1)
    assert tried(clips) == {"long": [-1, 0, 1, 2], "short": [-1], "none": [-1]}
    (clips / "none.mp4").unlink()
    (clips / "none.mp4.parts").unlink()

    def nobody():
        raise AssertionError("there is nothing to do")

    assert encode(clips, 4, engine=nobody).skipped == 2
    assert tried(clips)["long"] == [-1, 0, 1, 2]


@pytest.mark.slow
@pytest.mark.usefixtures("pose_alone")
def test_workers_give_the_bytes_of_one_encode(sample, generator, finder, tmp_path):
    (tmp_path / "clips").mkdir()
    shutil.copy(sample, tmp_path / "clips" / "talk.mp4")
    settings = {"preset": "fast", "max_frames": 8}
    batch = Batch(
        [tmp_path / "clips"],
        tmp_path / "out",
        lambda: LocalEngine(WORKERS, TINY_PARTS),
        settings=settings,
    )
    tally = encode_batch(batch, parts=4)
    assert tally.done == 1, read_manifest(tmp_path / "out" / NAME)
    lines = read_manifest(tmp_path / "out" / NAME)
    parts = [line for (verb, _), line in lines.items() if verb == "part"]
    assert [line["state"] for line in parts] == ["done"] * 5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [NAME, "talk.fcv"]
    with short_sections(), fast_is(TINY), threads(worker_threads(WORKERS)):
        facecodec.encode(sample, tmp_path / "a.fcv", preset="fast", max_frames=8)
    assert (tmp_path / "out" / "talk.fcv").read_bytes() == (tmp_path / "a.fcv").read_bytes()
