"""Whether a tuned person is retouched by their context: measured where the source is at hand.

A tuned head is often nearer to the source than a small, coarse context is, and then the face's
place is best painted over. Where the context has more bytes, or the tuning fits less well, it is
the other way round. The encoder tries it on the first pictures, and the context's codec says what
came of it: a decoder retouches by a context that shows the face.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
import torch
from torch import Tensor

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import ContextPictures, ContextPlate
from facecodec.compositing.painting import small_square
from facecodec.compositing.placing import frame_in_square
from facecodec.compositing.retouch import difference
from facecodec.context.make import MadeContext, PlacedFrames, make_context
from facecodec.context.plan import ContextPlan
from facecodec.context.view import ContextView
from facecodec.face.alignment import Alignment, scaled
from facecodec.face.crop import crop
from facecodec.face.matte import INPUT_SIZE, small_matte
from facecodec.progress import Progress
from facecodec.types import Controls, Picture

TRIED_SEGMENTS = 2  # of a context, that are looked at
TRIED_PICTURES = 12  # of these, at most
# Of the squared error of the head, that retouching may leave to be worth it: what the context
# spends on the face it lacks beside it, up to half a decibel there.
WORTH = 0.85


@dataclass(frozen=True)
class Drawn:
    """A person at the controls [T, K] of a clip's frames, as a decoder draws them."""

    avatar: Avatar
    controls: Controls

    def __call__(self, number: int) -> Picture:
        """Return a frame's square [S, S, 3]."""
        side = self.avatar.resolution // 4
        square: Picture = self.avatar.render(self.controls[number][None], side)[0]
        return square


@dataclass(frozen=True)
class _Seen:
    """A frame in the network's square: as filmed and as drawn [3, s, s], and the head [s, s]."""

    filmed: Tensor
    drawn: Tensor
    head: Tensor


def best_context(
    clip: PlacedFrames,
    plan: ContextPlan,
    segment_frames: int,
    drawn: Drawn | None,
    progress: Progress,
) -> MadeContext:
    """Code the context of a clip: with the face, where retouching the drawn head is worth it.

    drawn: a tuned person; None for one who is not, whose head always is worth it. Raises what
    `make_context` does.
    """
    if not plan.still:
        made = make_context(clip, replace(plan, face=True), segment_frames, progress)
        if drawn is None:
            return made
        parts = list(islice(made.parts, TRIED_SEGMENTS))
        if left_by_retouching(clip, made.plate, parts, drawn) < WORTH:
            return replace(made, parts=chain(parts, made.parts))
    return make_context(clip, replace(plan, face=False), segment_frames, progress)


def left_by_retouching(
    clip: PlacedFrames,
    plate: ContextPlate,
    parts: Sequence[ContextPictures],
    draw: Callable[[int], Picture],
) -> float:
    """Return the squared error of the drawn head that retouching leaves, over what it was.

    At the scales that retouching reaches, at the times of some pictures and midway between them.
    parts: the first ones of the context. draw: a frame's number to its drawn square [S, S, 3].
    """
    shown = _shown(plate, parts)
    numbers = _numbers(clip, set(shown))
    pairs = [(a, b) for a, b in zip(numbers, numbers[1:], strict=False) if b - a > 1]
    wanted = {number for a, b in pairs for number in (a, b, (a + b) // 2)}
    seen: dict[int, _Seen] = {}
    learnt: dict[int, Tensor] = {}
    for number, frame in enumerate(clip.frames()):
        if number > max(wanted, default=-1):
            break
        if number not in wanted:
            continue
        place = clip.alignments[number]
        size = clip.width, clip.height
        seen[number] = own = _seen(frame.image, draw(number), place)
        if frame.pts in shown:
            small = shown[frame.pts]
            there = _levels(small, scaled(place, small.shape[1] / size[0]))
            inside = frame_in_square(place, size, INPUT_SIZE)
            learnt[number] = difference(there, own.drawn, inside)
    before = after = 1e-6
    for a, b in pairs:
        for number, off in ((a, learnt[a]), ((a + b) // 2, (learnt[a] + learnt[b]) / 2)):
            own = seen[number]
            before += float((own.head * (own.drawn - own.filmed) ** 2).sum())
            after += float((own.head * (own.drawn + off - own.filmed) ** 2).sum())
    return after / before


def _shown(plate: ContextPlate, parts: Sequence[ContextPictures]) -> dict[int, Picture]:
    """Return the first pictures of a context by their times, as they are shown: RGB [h, w, 3]."""
    view = ContextView(plate, (plate.width, plate.height), lambda _: None)
    shown: dict[int, Picture] = {}
    for part in parts:
        view.take(part)
        for pts in part.pts:
            view.come_to(pts)
            small = view.small
            if small is not None and view.time == pts and len(shown) < TRIED_PICTURES:
                shown[pts] = small
    return shown


def _numbers(clip: PlacedFrames, times: set[int]) -> list[int]:
    """Return the numbers of the frames at some times."""
    numbers: list[int] = []
    for number, frame in enumerate(clip.frames()):
        if len(numbers) == len(times):
            break
        if frame.pts in times:
            numbers.append(number)
    return numbers


def _seen(frame: Picture, drawn: Picture, place: Alignment) -> _Seen:
    small = small_square(drawn)
    return _Seen(_levels(frame, place), small, small_matte(small)[1][1])


def _levels(picture: Picture, place: Alignment) -> Tensor:
    """Return the square at a place in a picture [H, W, 3], grey levels [3, s, s]."""
    levels = crop(picture, place, INPUT_SIZE).astype(np.float32)
    return torch.from_numpy(levels).permute(2, 0, 1)
