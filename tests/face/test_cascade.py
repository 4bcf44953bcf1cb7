"""The predictor read by C++ says what dlib's does, and takes no file that is none."""

from __future__ import annotations

import numpy as np
import pytest

from facecodec.face import cascade as module
from facecodec.face.alignment import Alignment
from facecodec.face.cascade import Cascade, cascade
from facecodec.face.landmarks import LandmarkFinder
from facecodec.face.readings import VIEW_SIZE, by_cascade, by_dlib, chip_of, edges_of, shifted
from facecodec.models import model_path
from facecodec.video.reader import VideoReader

dlib = pytest.importorskip("dlib")

FACE = np.array([50.0, 55.0, 173.0, 178.0])  # a box in a view


def number(value: int) -> bytes:
    """A whole number as dlib serialises it."""
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | 0x80 * (value < 0)]) + abs(value).to_bytes(size, "little")


def small_predictor(anchor: int = 3, feature: int = 1, rows: int = -136) -> bytes:
    """A predictor of one cascade of one tree: its leaves move all landmarks by a quarter."""

    def floating(value: float) -> bytes:
        return number(int(value * 1024)) + number(-10)

    def shape(values) -> bytes:
        return number(rows) + number(-1) + b"".join(map(floating, values))

    split = number(0) + number(feature) + floating(10.0)
    tree = number(1) + split + number(2) + shape([0.25] * 136) + shape([-0.25] * 136)
    features = number(2) + number(anchor) + number(4)
    deltas = number(2) + floating(0.0) * 2 + floating(0.5) * 2
    initial = shape([0.25] * 136)
    return (
        number(1)
        + initial
        + number(1)
        + number(1)
        + tree
        + number(1)
        + features
        + (number(1) + deltas)
    )


@pytest.fixture(scope="module")
def known() -> Cascade:
    made = cascade(model_path("dlib-landmarks"))
    if made is None:
        pytest.skip("the library cannot be built here")
    return made


FACE_SIDE = 400.0  # pixels of the sample, of a view that the whole face is in
# On a face, beside it, and far off.
BOXES = ((50, 55, 173, 178), (44, 50, 180, 186), (55, 60, 170, 175), (40, 70, 160, 190),
         (60, 50, 185, 175), (30, 40, 150, 160), (-20, -30, 60, 50))  # fmt: skip


@pytest.fixture(scope="module")
def frame(sample):
    with VideoReader(sample) as reader:
        return next(iter(reader.frames(None, None, 1))).image


def opened(tmp_path, data: bytes) -> Cascade | None:
    if module.library() is None:
        pytest.skip("the library cannot be built here")
    path = tmp_path / "predictor.dat"
    path.write_bytes(data)
    return cascade(path)


def test_landmarks_are_those_of_dlib_before_they_are_rounded(known, frame):
    predictor = dlib.shape_predictor(str(model_path("dlib-landmarks")))
    chip = chip_of(frame, Alignment(320.0, 300.0, 600.0, 0.05))
    grey = (chip.astype(int).sum(2) // 3).astype(np.uint8)
    usual = []
    for box in BOXES:
        ours = known.read(grey, np.array([box], np.float64))[0]
        parts = np.array([(p.x, p.y) for p in predictor(chip, dlib.rectangle(*box)).parts()])
        away = np.abs(ours - parts)
        assert away.max() < 1.5
        usual.append(np.median(away))
    # Rounding is off by a quarter. A feature that falls on the edge of two pixels leads to another
    # leaf, here and there, which moves all landmarks of that box by tenths.
    assert np.median(usual) < 0.3


@pytest.mark.parametrize("side", [180.0, 400.0, 600.0, 1100.0])
def test_a_view_is_where_dlib_sees_it(known, frame, side):
    view = Alignment(310.0, 250.0, side, 0.1)
    if side < 2 * VIEW_SIZE:  # dlib blurs what it halves in its own way
        theirs = chip_of(frame, view).astype(int).sum(2) / 3
        assert np.abs(known.chip(frame, view, VIEW_SIZE) - theirs).mean() < 1  # grey level
    if side < FACE_SIDE:
        return  # a view of a nose: what is read in it means nothing
    predictor = dlib.shape_predictor(str(model_path("dlib-landmarks")))
    boxes = shifted(FACE)
    ours = by_cascade(known)(frame, view, boxes).mean(0)
    theirs = by_dlib(predictor)(frame, view, boxes).mean(0)
    assert np.abs((ours - theirs).mean(0)).max() < 0.5  # pixels of the view


def test_a_view_off_the_frame_is_black(known, frame):
    away = known.chip(frame, Alignment(-5000.0, -5000.0, 300.0, 0.0), VIEW_SIZE)
    assert not away.any()
    half = known.chip(frame, Alignment(0.0, 240.0, 400.0, 0.0), VIEW_SIZE)
    assert not half[:, : VIEW_SIZE // 2 - 2].any()
    assert half[:, VIEW_SIZE // 2 + 2 :].any()


def test_a_box_that_is_moved_is_what_dlib_is_asked():
    box = dlib.rectangle(10, 20, 110, 121)
    assert np.round(shifted(edges_of(box))[0]).tolist() == [10, 20, 110, 122]


def test_a_small_predictor_is_read_as_it_is_written(tmp_path):
    made = opened(tmp_path, small_predictor())
    chip = np.zeros((100, 100), np.uint8)
    box = np.array([[0.0, 0.0, 80.0, 80.0]])
    assert np.allclose(made.read(chip, box), 0.0)  # the features are alike: a quarter back
    chip[:40] = 200  # the first feature, at a quarter, and not the second, at three quarters
    assert np.allclose(made.read(chip, box), 40.0, atol=0.01)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        small_predictor()[:-1],
        small_predictor() + b"\x01\x00",
        small_predictor(anchor=68),
        small_predictor(anchor=-1),
        small_predictor(feature=2),
        small_predictor(rows=-134),
        b"\x01\x02" + small_predictor()[2:],
        b"\x7f" * 400,
    ],
)
def test_a_file_that_is_no_predictor_is_none(tmp_path, data):
    assert opened(tmp_path, data) is None


def test_mutants_of_a_predictor_are_read_or_refused(tmp_path):
    """Lengths, indices and numbers of any kind: nothing is read beyond the end."""
    good = bytearray(small_predictor())
    if (library := module.library()) is None:
        pytest.skip("the library cannot be built here")
    rng = np.random.default_rng(3)
    chip = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    for _ in range(400):
        data = bytearray(good)
        for at in rng.integers(0, len(data), 3):
            data[at] = rng.integers(0, 256)
        array = np.frombuffer(bytes(data), np.uint8)
        model = library.facecodec_cascade_open(array.ctypes.data, len(array))
        if model is not None:
            Cascade(library, model).read(chip, np.array([[0.0, 0.0, 63.0, 63.0]]))


def test_without_the_library_dlib_reads(monkeypatch, frame):
    monkeypatch.setattr("facecodec.face.landmarks.cascade", lambda predictor: None)
    by_it = LandmarkFinder(model_path("dlib-landmarks"), quick=True)
    monkeypatch.undo()
    quick = LandmarkFinder(model_path("dlib-landmarks"), quick=True)
    for _ in range(3):
        theirs, ours = by_it(frame), quick(frame)
    eyes = np.linalg.norm(theirs[36:42].mean(0) - theirs[42:48].mean(0))
    assert np.linalg.norm(ours - theirs, axis=1).mean() < 0.02 * eyes
