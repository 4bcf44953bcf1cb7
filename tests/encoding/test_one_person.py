"""Whose face a live clip shows, by embeddings that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facecodec.encoding import live_clip
from facecodec.encoding.live_clip import EMBEDDING_INTERVAL, FIRST_LOOKS, OnePerson
from tests.helpers.faces import face

FRAME = np.zeros((8, 8, 3), np.uint8)


PERSON: Any = object()  # their picture at rest is made up, so nothing is asked of them


@pytest.fixture
def embeddings(monkeypatch) -> list[np.ndarray]:
    """What the next frames look like, the person's picture first; the last one stays."""
    coming = [np.zeros(128)]

    def embed(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    monkeypatch.setattr(
        live_clip, "landmark_finder", lambda quick=False: lambda frame, choose=None: face()
    )
    monkeypatch.setattr(live_clip, "face_embedder", lambda: embed)
    monkeypatch.setattr(live_clip, "face_at_rest", lambda person: (FRAME, face()))
    return coming


def away(*distances: float) -> list[np.ndarray]:
    """Embeddings at these distances from the picture, each in a direction of its own."""
    return [distance * np.eye(128)[i] for i, distance in enumerate(distances)]


def test_the_mean_of_the_first_frames_counts(embeddings):
    embeddings += away(0.7, 0.7, 0.7, 0.7, 0.7)
    person = OnePerson(PERSON)
    for _ in range(FIRST_LOOKS):
        assert person(FRAME) is not None
    assert not person.other


def test_somebody_else_is_told_after_the_first_frames(embeddings):
    embeddings += [np.full(128, 0.8 / 128**0.5)]
    person = OnePerson(PERSON)
    assert [person(FRAME) is None for _ in range(FIRST_LOOKS)] == [False] * 4 + [True]
    assert person.other and person.distance == pytest.approx(0.8)


def test_a_cut_to_somebody_else_and_back(embeddings):
    embeddings += [np.full(128, 0.01)] * FIRST_LOOKS + [np.full(128, 0.1), np.full(128, 0.01)]
    person = OnePerson(PERSON)
    seen = [person(FRAME) is not None for _ in range(FIRST_LOOKS + 2 * EMBEDDING_INTERVAL + 2)]
    turns = np.flatnonzero(np.diff(seen))
    assert seen[0] and seen[-1] and len(turns) == 2


def test_any_face_will_do(embeddings):
    embeddings += [np.full(128, 1.0)]
    person = OnePerson(PERSON, any_face=True)
    assert all(person(FRAME) is not None for _ in range(2 * EMBEDDING_INTERVAL))
