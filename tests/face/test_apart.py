"""Embeddings by another process are those of this one, and do not wait for each other."""

from __future__ import annotations

import time

import numpy as np
import pytest

from facecodec.face.apart import EmbedderApart
from facecodec.models import face_embedder, model_path
from facecodec.video.reader import VideoReader

WAIT_SECONDS = 30.0


@pytest.fixture(scope="module")
def frame(sample):
    with VideoReader(sample) as reader:
        return next(iter(reader.frames(None, None, 1))).image


@pytest.fixture
def apart():
    return EmbedderApart(model_path("dlib-embedding"))


def waited(apart: EmbedderApart) -> np.ndarray | None:
    begin = time.monotonic()
    while (answer := apart.answer()) is None and time.monotonic() - begin < WAIT_SECONDS:
        if not apart._asked:
            return None
        time.sleep(0.005)
    return answer


def test_it_says_what_dlib_says_here(apart, frame, finder):
    finder.reset()
    points = finder(frame)
    assert apart.answer() is None  # nothing was asked
    apart.ask(frame, points)
    apart.ask(frame, points + 40)  # one at a time
    answer = waited(apart)
    assert np.allclose(answer, face_embedder()(frame, points), atol=1e-6)
    assert apart.answer() is None
    apart.ask(frame, points)
    apart.forget()
    assert waited(apart) is None and apart._asked == 0


def test_without_the_process_this_one_looks(apart, frame, finder):
    finder.reset()
    points = finder(frame)
    apart._process.kill()
    apart._process.wait()
    apart.ask(frame, points)
    assert np.allclose(apart.answer(), face_embedder()(frame, points), atol=1e-6)


def test_it_ends_with_whoever_began_it():
    made = EmbedderApart(model_path("dlib-embedding"))
    process = made._process
    del made
    assert process.poll() is not None
