"""Long clips of a batch in parts: who does what, and when."""

from __future__ import annotations

from facecodec.batch.batch import Batch, encode_batch
from facecodec.batch.local import LocalEngine
from tests.helpers.batch_work import PRETEND


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
