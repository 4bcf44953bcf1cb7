"""Clips of two people: each is fitted once, and the streams decode as they lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import facecodec
from facecodec.batch.batch import Batch, decode_batch, encode_batch, eval_batch
from facecodec.batch.local import LocalEngine
from facecodec.batch.manifest import NAME, read_manifest
from facecodec.bitstream import load_identity_file, open_stream
from facecodec.generator.sampling import draw_latents
from facecodec.models import FaceModel
from facecodec.video.reader import VideoReader
from tests.helpers.batch_work import TINY_FITS
from tests.helpers.clips import write_clip

pytestmark = pytest.mark.slow


@pytest.fixture
def clips(sample, generator, rig, tmp_path) -> Path:
    """Two clips of the sample's person, and one of somebody else in a folder below."""
    folder = tmp_path / "clips"
    (folder / "sub").mkdir(parents=True)
    with VideoReader(sample) as reader:
        pictures = [frame.image for frame in reader.frames(max_frames=20)]
    write_clip(folder / "a.mp4", pictures[:2])
    write_clip(folder / "b.mp4", pictures[-2:])
    w = generator.broadcast(draw_latents(generator, 1, seed=5, truncation=0.7))[0]
    somebody = facecodec.Avatar(FaceModel(generator, rig), w.numpy())
    at_rest = np.zeros((1, somebody.num_controls), np.float32)
    write_clip(folder / "sub" / "c.mp4", [somebody.render(at_rest, 512)[0]] * 2)
    return folder


def test_people_are_fitted_once(clips, tmp_path, small_rig):
    out = tmp_path / "out"

    def batch(inputs: Path, folder: Path, **settings: object) -> Batch:
        return Batch(
            [inputs], folder, lambda: LocalEngine(1, TINY_FITS), files={"rig": str(small_rig)},
            settings=settings, resume=True,
        )  # fmt: skip

    tally = encode_batch(batch(clips, out, preset="fast"), group_people=True)
    assert (tally.total, tally.done, tally.failed) == (3, 3, 0)
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*.f*"))
    assert files == [
        "a.fcv", "b.fcv", "person-1.fci", "person-2.fci", "sub/c.fcv", "sub/person-2.fci",
    ]  # fmt: skip
    first = load_identity_file(out / "person-1.fci").sha256
    assert {open_stream(out / f"{name}.fcv").identity_reference for name in "ab"} == {first}
    assert open_stream(out / "sub" / "c.fcv").identity_reference != first
    again = encode_batch(batch(clips, out, preset="fast"), group_people=True)
    assert (again.done, again.skipped) == (0, 3)

    decoded = decode_batch(batch(out, tmp_path / "videos", size=256))
    assert (decoded.done, decoded.frames) == (3, 6)
    single = tmp_path / "single.mp4"
    facecodec.decode(out / "sub" / "c.fcv", single, size=256, rig=small_rig)
    assert single.read_bytes() == (tmp_path / "videos" / "sub" / "c.mp4").read_bytes()

    measured = eval_batch(batch(out, tmp_path / "figures"))
    assert measured.done == 3, [
        line.get("error") for line in read_manifest(tmp_path / "figures" / NAME).values()
    ]
    figures = json.loads((tmp_path / "figures" / "sub" / "c.json").read_text())
    assert figures["frames"] == 2 and figures["files"][0] == str(clips / "sub" / "c.mp4")
    by_name = eval_batch(batch(out, tmp_path / "named"), references=clips)
    assert by_name.done == 3
