"""The room of a video: its frames without the head, one frame showing what another hides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.compositing.alpha import HEAD_EDGE, feathered
from facecodec.compositing.compositor import coverage
from facecodec.compositing.filling import filled
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.face.matte import INPUT_SIZE, Matte, matte
from facecodec.types import Picture

# All in pixels of the network's square:
HEAD_MARGIN = 6  # by which a head is widened where it is to be filled in
NECK_MARGIN, NECK_REACH = 12, 16  # by which the neck is narrower than the head; and up behind it
BODY_MARGIN = 3  # by which neck and shoulders go on behind the head, wherever they meet it
HAIR_ABOVE = 16  # above the square, over which hair that reaches its top goes on
PERSON_MARGIN = 8  # the same of a person, whom another frame may not show in place of the room
BOTTOM_FADES = (False, False, False, True)  # of a square's sides
BODY_GAIN = 5.0  # a pixel that is a fifth of body has the body behind it
SURE_PERSON = 0.5  # share of a pixel from which it shows the person rather than the room
WHOLE = 0.9  # of above, from which a row is a whole head
FADING = 0.8  # share of the person that is head, in a row of the square, at which the neck begins
NO_PERSON = 0.01  # share of a pixel below which it shows none
SAME_ROOM = 6.0  # grey levels between two frames' rooms, at most, for one to stand in for the other
AROUND = 0.3  # of what is hidden, to each side, that is looked at to fill it in
LEAST_ROOM = 0.05  # share of a frame that both must show


class Hidden(NamedTuple):
    """What a head hides of a frame, and what is behind it: float32 [H, W] each, 0 to 1.

    head: what is to be filled in, with a margin. person: what does not show the room. body: what
    shows neck and shoulders. neck: where these go on behind the head, and not the room.
    """

    head: NDArray[np.float32]
    person: NDArray[np.float32]
    body: NDArray[np.float32]
    neck: NDArray[np.float32]


def hidden_by_head(frame: Picture, place: Alignment) -> Hidden:
    """Return what the head at `place` hides of a frame [H, W, 3].

    Neck and shoulders are not hidden by a margin, and stay. Where hair reaches the top of the
    square, it is taken to go on above.
    """
    person, head = _found(frame, place)
    rows = head.amax(1) / person.amax(1).clamp_min(NO_PERSON)
    above = ((rows - FADING) / (1 - FADING)).clamp(0, 1)  # 1 above the neck
    whole = (above > WHOLE).nonzero()
    begin = int(whole.max()) if len(whole) else 0  # the last row above the neck
    behind = ((torch.arange(len(rows)) - begin + NECK_REACH) / NECK_REACH).clamp(0, 1)
    body = (person - head).clamp(0, 1)
    hidden = head + above[:, None] * (_widened(head, HEAD_MARGIN) - head) * (1 - body)
    hidden = hidden * torch.from_numpy(feathered(len(rows), BOTTOM_FADES, HEAD_EDGE))
    inner = 1 - _widened(1 - head, NECK_MARGIN)
    all_of_it = _widened(person, PERSON_MARGIN)
    beside = _widened((BODY_GAIN * body).clamp(0, 1), BODY_MARGIN) * (person > SURE_PERSON)
    neck = torch.maximum(inner * behind[:, None], beside)
    maps = (_with_hair(hidden), _with_hair(all_of_it), body, neck)
    size = (frame.shape[1], frame.shape[0])
    return Hidden(*(_coverage(m, place, size) for m in maps))


def without_head(
    frame: Picture, place: Alignment, others: Sequence[tuple[Picture, Alignment]] = ()
) -> Picture:
    """Return a frame [H, W, 3] without the head at `place`.

    others: other frames of the video, and where the head is in them. Where they show the same
    room, they fill in what they see of it. The rest of the room is continued from around the
    person, and the neck from below.
    """
    hidden = hidden_by_head(frame, place)
    if not hidden.head.any():
        return frame
    room, unseen = _seen_elsewhere(frame, place, hidden, others)
    part = _around(hidden.head)
    behind = filled(room[part], np.maximum(unseen, hidden.head * (unseen > 0))[part])
    body = filled(frame[part], 1 - hidden.body[part])
    neck = hidden.neck[part][..., None]
    if not hidden.body[part].any():
        neck = neck * 0
    under = behind + neck * (body.astype(np.float32) - behind)
    share = hidden.head[part][..., None]
    result = frame.copy()
    result[part] = (frame[part] + share * (under - frame[part])).round().astype(np.uint8)
    return result


def _seen_elsewhere(
    frame: Picture,
    place: Alignment,
    hidden: Hidden,
    others: Sequence[tuple[Picture, Alignment]],
) -> tuple[Picture, NDArray[np.float32]]:
    """Return a frame with what other frames show of its room, and where none does, [H, W]."""
    total, seen = np.zeros(frame.shape, np.float32), np.zeros(frame.shape[:2], np.float32)
    here = _down(hidden.person)
    for picture, there in others:
        person = _down(hidden_by_head(picture, there).person)
        both = (here < NO_PERSON) & (person < NO_PERSON)
        if both.mean() < LEAST_ROOM:
            continue
        if np.abs(frame[both].astype(np.int16) - picture[both]).mean() > SAME_ROOM:
            continue
        shows = (person < NO_PERSON).astype(np.float32)
        total += shows[..., None] * picture
        seen += shows
    shown = np.minimum(seen, 1) * here
    behind = total / np.maximum(seen, 1)[..., None]
    room = frame + shown[..., None] * (behind - frame)
    return room.round().astype(np.uint8), here - shown


def _around(hidden: NDArray[np.float32]) -> tuple[slice, slice]:
    """Return the part of a frame around what is hidden [H, W], with some of what is not."""
    parts = []
    for axis in (1, 0):
        at = np.flatnonzero(hidden.any(axis))
        margin = int(AROUND * (at[-1] - at[0] + 1)) + 1
        parts.append(slice(max(int(at[0]) - margin, 0), int(at[-1]) + 1 + margin))
    return parts[0], parts[1]


def _with_hair(hidden: Tensor) -> Tensor:
    """Return maps [s, s] of a square and as much around it, into which hair goes on above."""
    around = F.pad(hidden, [HAIR_ABOVE] * 4)
    fade = torch.linspace(0, 1, HAIR_ABOVE)[:, None]
    around[:HAIR_ABOVE, HAIR_ABOVE:-HAIR_ABOVE] = hidden[:1] * fade
    return around


def _coverage(maps: Tensor, place: Alignment, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return maps of a square, or of one with a margin, in a frame of `size`, [H, W]."""
    larger = replace(place, size=place.size * len(maps) / INPUT_SIZE)
    return coverage(maps.numpy(), larger, size)


def _widened(maps: Tensor, margin: int) -> Tensor:
    """Return maps [s, s] widened by a margin in pixels."""
    return F.max_pool2d(maps[None], 2 * margin + 1, 1, margin)[0]


def _found(frame: Picture, place: Alignment) -> Matte:
    """Return the matte of the square at `place` in a frame [H, W, 3]."""
    square = crop(frame, place, INPUT_SIZE)
    return matte(torch.from_numpy(square.astype(np.float32)).permute(2, 0, 1))


def _down(person: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what of a frame shows the person [H, W], all below the square too: shoulders go on."""
    return np.maximum.accumulate(person, axis=0)
