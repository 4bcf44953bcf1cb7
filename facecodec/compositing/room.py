"""The room of a video: its frames without the head, one frame showing what another hides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from facecodec.compositing.compositor import coverage
from facecodec.compositing.filling import filled
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.face.matte import INPUT_SIZE, Matte, matte
from facecodec.types import Picture

# Both in pixels of the network's square:
HEAD_MARGIN = 6  # by which a head is widened where it is to be filled in
PERSON_MARGIN = 8  # the same of a person, whom another frame may not show in place of the room
NO_PERSON = 0.01  # share of a pixel below which it shows none
SAME_ROOM = 6.0  # grey levels between two frames' rooms, at most, for one to stand in for the other
LEAST_ROOM = 0.05  # share of a frame that both must show


def hidden_by_head(frame: Picture, place: Alignment) -> NDArray[np.float32]:
    """Return what the head at `place` hides of a frame [H, W, 3], and a margin: [H, W], 0 to 1.

    It is widened upwards and sideways and not downwards, so that the neck stays.
    """
    head = _found(frame, place).head[None, None]
    pad = HEAD_MARGIN
    wide = F.max_pool2d(F.pad(head, (pad, pad, 0, 2 * pad)), 2 * pad + 1, 1)
    return coverage(wide[0, 0].numpy(), place, (frame.shape[1], frame.shape[0]))


def without_head(
    frame: Picture, place: Alignment, others: Sequence[tuple[Picture, Alignment]] = ()
) -> Picture:
    """Return a frame [H, W, 3] without the head at `place`.

    others: other frames of the video, and where the head is in them. Where they show the same
    room, they fill in what they see of it; the rest is filled in from around the head.
    """
    hidden = hidden_by_head(frame, place)
    total, seen = np.zeros(frame.shape, np.float32), np.zeros(hidden.shape, np.float32)
    here = _shows_person(frame, place)
    for picture, there in others:
        person = _shows_person(picture, there)
        both = (here < NO_PERSON) & (person < NO_PERSON)
        if both.mean() < LEAST_ROOM:
            continue
        if np.abs(frame[both].astype(np.int16) - picture[both]).mean() > SAME_ROOM:
            continue
        room = np.where(person < NO_PERSON, 1.0, 0.0).astype(np.float32)
        total += room[..., None] * picture
        seen += room
    shown = np.clip(seen, 0, 1) * hidden
    behind = total / np.maximum(seen, 1)[..., None]
    base = frame + shown[..., None] * (behind - frame)
    return filled(base.round().astype(np.uint8), hidden - shown)


def _found(frame: Picture, place: Alignment) -> Matte:
    """Return the matte of the square at `place` in a frame [H, W, 3]."""
    square = crop(frame, place, INPUT_SIZE)
    return matte(torch.from_numpy(square.astype(np.float32)).permute(2, 0, 1))


def _shows_person(frame: Picture, place: Alignment) -> NDArray[np.float32]:
    """Return what of a frame shows the person, and a margin, [H, W]: all below the square too."""
    person = _found(frame, place).person[None]
    wide = F.max_pool2d(person, 2 * PERSON_MARGIN + 1, 1, PERSON_MARGIN)[0]
    size = (frame.shape[1], frame.shape[0])
    covered = coverage(wide.numpy(), place, size)
    return np.maximum.accumulate(covered, axis=0)  # shoulders go on downwards
