"""What each control does to a face, as landmarks show it, and titles that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import cuda_ops
from facecodec.face.layout import (
    CHIN,
    LEFT_BROW,
    LEFT_EYE,
    LOWER_LIP,
    LOWER_LIP_EDGE,
    MOUTH,
    MOUTH_CORNERS,
    NOSE_UNDERSIDE,
    RIGHT_BROW,
    RIGHT_EYE,
    UPPER_LIP,
    UPPER_LIP_EDGE,
)
from facecodec.face.signals import (
    SMALLEST_LENGTH,
    eye_centres,
    eye_opening,
    head_pose,
    interocular,
    mouth_width,
)
from facecodec.generator.base import Generator
from facecodec.generator.sampling import PICTURE_SIZE, FindLandmarks, draw_latents
from facecodec.pixels import to_uint8
from facecodec.progress import Progress, silent
from facecodec.rig.regions import Region
from facecodec.types import Floats, Landmarks

FACES = 8  # on which the controls of a rig are tried
TRUNCATION = 0.7  # of these faces: likely ones
AMOUNT = 2.0  # standard deviations by which a control is moved
LEAST_AGREEMENT = 0.75  # share of the faces that must move one way
LEAST_TURN = 0.6  # the same of a pose axis; the shipped rig's roll turns 70 % of faces its way
LEAST_CHANGE = 0.1  # of the signal's standard deviation over faces, below which it does not move


@dataclass(frozen=True)
class Move:
    """What one signal of a face says: in words where it rises, and where it falls.

    regions: of controls that are called so where they can be.
    """

    rises: str
    falls: str
    regions: tuple[Region, ...]


_LIPS = (Region.MOUTH, Region.JAW, Region.EXPRESSION)
# Left and right are those of the picture. In the order of `face_moves`.
MOVES = (
    Move("head turns right", "head turns left", (Region.POSE,)),
    Move("head bows", "head rises", (Region.POSE,)),
    Move("head leans right", "head leans left", (Region.POSE,)),
    Move("lips part", "lips meet", _LIPS),
    Move("mouth widens", "mouth narrows", _LIPS),
    Move("mouth corners fall", "mouth corners rise", _LIPS),
    Move("mouth lowers", "mouth lifts", _LIPS),
    Move("upper lip lowers", "upper lip lifts", _LIPS),
    Move("lower lip lowers", "lower lip lifts", _LIPS),
    Move("lips fill", "lips thin", _LIPS),
    Move("chin lowers", "chin lifts", _LIPS),
    Move("chin moves right", "chin moves left", _LIPS),
    Move("eyes open", "eyes close", (Region.EYES, Region.GAZE, Region.EXPRESSION)),
    Move("left eye opens more", "right eye opens more", (Region.EYES, Region.GAZE)),
    Move("brows rise", "brows lower", (Region.BROWS, Region.EXPRESSION)),
    Move("left brow rises more", "right brow rises more", (Region.BROWS,)),
    Move("brows part", "brows draw together", (Region.BROWS, Region.EXPRESSION)),
)


def face_moves(points: Landmarks) -> Floats:
    """Return the signals of `MOVES` for landmarks [68, 2], float64 [17].

    Pose indices are those of `head_pose`; the others are in eye distances, in the coordinates of
    the eyes: origin between them, x to the right of the picture, y down.
    """
    left, right = eye_centres(points)
    distance = max(interocular(points), SMALLEST_LENGTH)
    x_axis = (right - left) / distance
    axes = np.stack([x_axis, [-x_axis[1], x_axis[0]]], 1)
    local = (points - (left + right) / 2) @ axes / distance
    x, y = local[:, 0], local[:, 1]

    def opened(eye: slice) -> float:
        return eye_opening(np.concatenate([points[:36], points[eye], points[eye], points[48:]]))

    upper, lower = y[list(UPPER_LIP)].mean(), y[list(LOWER_LIP)].mean()
    upper_edge, lower_edge = y[list(UPPER_LIP_EDGE)].mean(), y[list(LOWER_LIP_EDGE)].mean()
    corners = y[list(MOUTH_CORNERS)].mean()
    left_brow, right_brow = -y[LEFT_BROW].mean(), -y[RIGHT_BROW].mean()
    left_eye, right_eye = opened(LEFT_EYE), opened(RIGHT_EYE)
    return np.array(
        [
            *head_pose(points),
            lower - upper,
            mouth_width(points),
            corners - (upper + lower + upper_edge + lower_edge) / 4,
            y[MOUTH].mean(),
            upper_edge - y[NOSE_UNDERSIDE],
            lower_edge - y[NOSE_UNDERSIDE],
            (upper - upper_edge) + (lower_edge - lower),
            y[CHIN],
            x[CHIN],
            left_eye + right_eye,
            left_eye - right_eye,
            left_brow + right_brow,
            left_brow - right_brow,
            x[RIGHT_BROW][0] - x[LEFT_BROW][-1],
        ]
    )


@dataclass(frozen=True)
class Effects:
    """What moving K controls up by `AMOUNT` does to S signals of some faces.

    change: [K, S], the mean over the faces, in the signal's standard deviations over faces.
    agreement: [K, S], the share of the faces whose signal moves as the mean does, 0 to 1.
    """

    change: Floats
    agreement: Floats


def measure_effects(
    generator: Generator,
    basis: Tensor,
    find: FindLandmarks,
    faces: int = FACES,
    seed: int = 0,
    progress: Progress = silent,
) -> Effects:
    """Return what the controls of a rig do to `faces` seeded faces.

    That takes two previews a control and face. basis: [K, num_styles], the rig's. find: landmarks
    of a picture. Pictures in which it finds no face do not count.
    """
    w = draw_latents(generator, faces, seed, TRUNCATION)
    signals = np.full((faces, 1 + 2 * len(basis), len(MOVES)), np.nan)
    moves = torch.cat([torch.zeros_like(basis[:1]), AMOUNT * basis, -AMOUNT * basis])
    with torch.inference_mode(), cuda_ops.roughly():
        for face in range(faces):
            styles = generator.styles(generator.broadcast(w[face : face + 1]))
            for i, move in enumerate(moves):
                picture = to_uint8(generator.preview(styles + move, PICTURE_SIZE))[0]
                points = find(picture)
                if points is not None:
                    signals[face, i] = face_moves(points)
            progress("what controls do", face + 1, faces)
    return effects_of(signals)


def effects_of(signals: Floats) -> Effects:
    """Return the effects for signals [faces, 1 + 2K, S].

    They are at rest, then with each control moved up, then with each moved down; NaN without a
    face.
    """
    count = signals.shape[1] // 2
    rest, up, down = np.split(signals, [1, 1 + count], axis=1)
    spread = np.maximum(np.nanstd(rest, axis=0), SMALLEST_LENGTH)
    moved = np.nan_to_num((up - down) / 2)
    change = moved.mean(0) / spread
    return Effects(change, (np.sign(moved) == np.sign(change)).mean(0))


def propose_titles(effects: Effects, regions: Sequence[str]) -> tuple[str, ...]:
    """Return a title for each of K controls, all different: what it moves most, and which way.

    Strong effects choose first; a whole expression is called by the two things it moves most. A
    control that does nothing which landmarks show is named after its region. `regions` are those of
    the controls.
    """
    strength = np.abs(effects.change) * (effects.agreement >= LEAST_AGREEMENT)
    for control, region in enumerate(regions):
        for signal, move in enumerate(MOVES):
            if region not in move.regions:
                strength[control, signal] = 0
    strength[strength < LEAST_CHANGE] = 0

    def words(control: int, signal: int) -> str:
        move = MOVES[signal]
        return move.rises if effects.change[control, signal] > 0 else move.falls

    titles = [""] * len(regions)
    for control, region in enumerate(regions):
        if region == Region.EXPRESSION:
            strongest = [int(s) for s in np.argsort(-strength[control], kind="stable")[:2]]
            titles[control] = ", ".join(
                words(control, s) for s in strongest if strength[control, s]
            )
    for place in np.argsort(-strength, axis=None, kind="stable").tolist():
        control, signal = divmod(place, len(MOVES))
        title = words(control, signal)
        if strength[control, signal] and not titles[control] and title not in titles:
            titles[control] = title
    numbers: dict[str, int] = {}
    for control, region in enumerate(regions):
        if not titles[control] or titles[control] in titles[:control]:
            numbers[region] = numbers.get(region, 0) + 1
            titles[control] = f"{region} detail {numbers[region]}"
    return tuple(titles)
