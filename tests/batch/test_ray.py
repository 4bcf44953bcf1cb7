"""A batch on two nodes of Ray on this machine, one of which is killed in the middle."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import facecodec
from facecodec.batch.batch import Batch, encode_batch
from facecodec.batch.manifest import NAME, read_manifest
from facecodec.batch.on_ray import RayEngine
from facecodec.errors import FacecodecError
from facecodec.video.reader import VideoReader
from tests.helpers.batch_work import PRETEND, TINY_FITS_ON_NODES, running_on
from tests.helpers.clips import gradient, write_clip
from tests.helpers.presets import TINY, fast_is, pose_corrected_alone

ray = pytest.importorskip("ray", reason="pip install facecodec[batch]")

CLIPS, SPANS, FRAMES = 22, 4, 2  # clips that are good, of so many contents, of so many frames

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def nodes() -> Iterator[object]:
    """A cluster whose head computes nothing; nodes of one core are added."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def clips(sample, tmp_path) -> Path:
    """22 short clips of the sample, one that is cut short, and one without a face."""
    folder = tmp_path / "clips"
    folder.mkdir()
    with VideoReader(sample) as reader:
        pictures = [frame.image for frame in reader.frames(max_frames=SPANS * 8)]
    for k in range(SPANS):
        write_clip(folder / f"{k:02}.mp4", pictures[8 * k : 8 * k + FRAMES])
    for k in range(SPANS, CLIPS):
        shutil.copyfile(folder / f"{k % SPANS:02}.mp4", folder / f"{k:02}.mp4")
    (folder / "corrupt.mp4").write_bytes((folder / "00.mp4").read_bytes()[:700])
    write_clip(folder / "nobody.mp4", [gradient((256, 256))] * FRAMES)
    return folder


def age(file: Path) -> float:
    """Seconds since a file was written."""
    return time.time() - file.stat().st_mtime


def test_a_node_is_killed(nodes, clips, tmp_path, small_rig, finder):
    kept, killed = nodes.add_node(num_cpus=1), nodes.add_node(num_cpus=1)
    out, taken = tmp_path / "out", []

    def report(tally, ended):
        # A clip that its node has not begun yet is given to another one by Ray, and is tried once.
        marks = clips.glob(running_on(Path("*"), killed.node_id).name)
        if tally.done >= 3 and not taken and (fresh := [mark for mark in marks if age(mark) < 1]):
            nodes.remove_node(killed, allow_graceful=False)
            taken.extend(mark.name.split(".")[0] for mark in fresh)

    def batch() -> Batch:
        return Batch(
            [clips], out, lambda: RayEngine(nodes.address, perform=TINY_FITS_ON_NODES),
            settings={"preset": "fast"}, files={"rig": str(small_rig)}, resume=True, report=report,
        )  # fmt: skip

    tally = encode_batch(batch())
    assert len(taken) == 1 and kept
    assert (tally.total, tally.done, tally.failed, tally.skipped) == (CLIPS + 2, CLIPS, 2, 0)
    lines = {Path(line["input"]).stem: line for line in read_manifest(out / NAME).values()}
    failed = {name: line["error"] for name, line in lines.items() if line["state"] == "failed"}
    assert failed.keys() == {"corrupt", "nobody"}
    assert "no face" in failed["nobody"] and "not a video" in failed["corrupt"]
    assert {name for name, line in lines.items() if line["attempts"] == 2} == set(taken)
    assert len({line["worker"] for line in lines.values()}) >= 2
    with fast_is(TINY), pose_corrected_alone():
        for k in range(SPANS):
            single = tmp_path / f"{k:02}.fcv"
            facecodec.encode(clips / f"{k:02}.mp4", single, preset="fast", rig=small_rig)
    for k in range(CLIPS):
        wanted = (tmp_path / f"{k % SPANS:02}.fcv").read_bytes()
        assert (out / f"{k:02}.fcv").read_bytes() == wanted
    again = encode_batch(batch())
    assert (again.done, again.skipped, again.failed) == (0, CLIPS, 2)


def test_a_task_that_no_node_has_room_for(nodes):
    nodes.add_node(num_cpus=1)
    with pytest.raises(FacecodecError, match="no node"):
        RayEngine(nodes.address, cpus=2, perform=PRETEND)
    with pytest.raises(FacecodecError, match="no node"):
        RayEngine(nodes.address, gpus=0.5, perform=PRETEND)
