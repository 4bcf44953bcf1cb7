"""Titles of controls say what a face does: on generated people, by landmarks and by pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import cuda_ops
from facecodec.errors import ModelError
from facecodec.face.layout import BROWS, LEFT_EYE, RIGHT_EYE
from facecodec.generator.sampling import PICTURE_SIZE, draw_latents
from facecodec.pixels import to_uint8
from facecodec.rig.effects import (
    AMOUNT,
    LEAST_AGREEMENT,
    LEAST_TURN,
    MOVES,
    TRUNCATION,
    Effects,
    effects_of,
    face_moves,
    propose_titles,
)
from facecodec.rig.rig import NUM_POSE, Rig, shipped_rigs

PEOPLE = 20
SEED = 100
RIG = next(shipped_rigs())

# What landmarks cannot see, measured in pixels.
PIXEL_SIGNALS = ("left iris right", "right iris right", "irises blue", "brows dark", "jaw light")
# title -> the signals that rise (+) or fall (-) with it
SHOWN_BY = {
    "head turns right": "+head turns right",
    "head bows": "+head bows",
    "head leans right": "+head leans right",
    "lower lip lowers": "+lower lip lowers",
    "lips part": "+lips part",
    "lips meet": "-lips part",
    "upper lip lowers": "+upper lip lowers",
    "upper lip lifts": "-upper lip lowers",
    "mouth corners rise": "-mouth corners fall",
    "upper lip covers the teeth": "+upper lip lowers",
    "lower lip lifts": "-lips part",
    "nose lowers": "+head bows",
    "mouth widens": "+mouth widens",
    "lower lip lowers slightly": "+lower lip lowers",
    "jaw lightens": "+jaw light",
    "chin lowers": "+chin lowers",
    "eyes open": "+eyes open",
    "eyes narrow": "-eyes open",
    "upper lids lower": "-eyes open",
    "right eye turns left": "-right iris right",
    "eyes close": "-eyes open",
    "brows rise": "+brows rise",
    "brows lower": "-brows rise",
    "brows part": "+brows part",
    "brows darken": "+brows dark",
    "eyes look left": "-left iris right",
    "irises turn blue": "+irises blue",
    "smiles broadly": "+mouth widens",
    "smile fades": "-mouth widens",
    "eyes widen slightly": "+eyes open",
    "face looks younger": "+eyes open",
    "brows rise, lips meet": "+brows rise",
    "eyes open, lips meet": "+eyes open",
    "mouth widens slightly": "+mouth widens",
    "smiles gently": "-mouth corners fall",
}
SIGNALS = (*(move.rises for move in MOVES), *PIXEL_SIGNALS)


def pixel_signals(picture: np.ndarray, points: np.ndarray) -> list[float]:
    """Return the `PIXEL_SIGNALS` of a picture [H, W, 3] with landmarks [68, 2]."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    grey = picture.mean(2)

    def near(part: slice, radius: float) -> np.ndarray:
        far = np.hypot(columns[..., None] - points[part, 0], rows[..., None] - points[part, 1])
        return far.min(-1) < radius

    def iris(eye: slice) -> tuple[float, np.ndarray]:
        """Return where the dark part of an eye lies, in its widths, and its pixels."""
        x, y = points[eye].T
        margin = 0.12 * (x.max() - x.min())
        inside = (columns > x.min() + margin) & (columns < x.max() - margin)
        inside &= (rows > y.min()) & (rows < y.max())
        dark = inside & (grey <= np.percentile(grey[inside], 40))
        return (columns[dark].mean() - x.mean()) / (x.max() - x.min()), dark

    left, left_dark = iris(LEFT_EYE)
    right, right_dark = iris(RIGHT_EYE)
    irises = picture[left_dark | right_dark].mean(0)
    return [
        left,
        right,
        irises[2] - irises[0],
        -grey[near(BROWS, 3)].mean(),
        grey[near(slice(5, 12), 8)].mean(),
    ]


@pytest.fixture(scope="module")
def look(generator, finder):
    """Draw person number `i` at controls [K], and return all `SIGNALS`; NaN without a face."""
    w = draw_latents(generator, PEOPLE, SEED, TRUNCATION)
    basis = RIG.basis(generator)

    def signals(i: int, controls: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), cuda_ops.roughly():
            styles = generator.styles(generator.broadcast(w[i : i + 1]))
            moved = styles + torch.tensor(controls, dtype=torch.float32)[None] @ basis
            picture = to_uint8(generator.preview(moved, PICTURE_SIZE))[0]
        finder.reset()
        points = finder(picture)
        if points is None:
            return np.full(len(SIGNALS), np.nan)
        return np.array([*face_moves(points), *pixel_signals(picture, points)])

    return signals


def test_lips_part_on_twenty_people(look):
    control = RIG.titles.index("lips part")
    up = AMOUNT * np.eye(len(RIG.names))[control]
    lips = SIGNALS.index("lips part")
    parted = np.array([look(i, up)[lips] - look(i, 0 * up)[lips] for i in range(PEOPLE)])
    assert (parted > 0).sum() >= PEOPLE - 1, parted


@pytest.mark.slow
def test_every_control_does_what_its_title_says(look):
    """Moved up and down by two standard deviations, on twenty people."""
    count = len(RIG.names)
    moves = AMOUNT * np.concatenate([np.zeros((1, count)), np.eye(count), -np.eye(count)])
    effects = effects_of(np.array([[look(i, move) for move in moves] for i in range(PEOPLE)]))
    wrong = {}
    for control, title in enumerate(RIG.titles):
        sign, signal = SHOWN_BY[title][0], SIGNALS.index(SHOWN_BY[title][1:])
        change, agreement = effects.change[control, signal], effects.agreement[control, signal]
        print(f"{title}: {change:+.2f} of a standard deviation, on {agreement:.0%} of the faces")
        least = LEAST_TURN if control < NUM_POSE else LEAST_AGREEMENT
        if (change > 0) != (sign == "+") or agreement < least:
            wrong[title] = float(change), float(agreement)
    assert not wrong


def test_titles_are_words_for_people_and_no_part_of_a_rig(tmp_path):
    assert len(RIG.titles) == len(RIG.names) == len({*RIG.titles})
    assert replace(RIG, titles=()).sha256 == RIG.sha256
    RIG.save(tmp_path / "rig.json")
    assert Rig.load(tmp_path / "rig.json") == RIG
    plain = replace(RIG, titles=())
    plain.save(tmp_path / "plain.json")
    assert Rig.load(tmp_path / "plain.json").shown_titles == RIG.names
    for titles in (("a",), ("a",) * 35, (*RIG.names[:34], ""), (*RIG.names[:34], "x" * 61)):
        replace(RIG, titles=titles).save(tmp_path / "wrong.json")
        with pytest.raises(ModelError, match="titles are 35 different texts"):
            Rig.load(tmp_path / "wrong.json")


def effects(*rows: dict[str, float]) -> Effects:
    """Return effects of controls that move these signals, on all faces."""
    names = [move.rises for move in MOVES]
    change = np.zeros((len(rows), len(MOVES)))
    for row, moved in zip(change, rows, strict=True):
        for name, value in moved.items():
            row[names.index(name)] = value
    return Effects(change, np.ones_like(change))


def test_titles_are_proposed_by_what_landmarks_do():
    seen = effects(
        {"head turns right": -3, "chin moves right": 4},
        {"lips part": 1, "mouth widens": 0.6},
        {"lips part": 2, "mouth widens": 1.5},
        {"eyes open": -0.5, "lips part": 3},
        {},
        {"lips part": 0.01},
        {"lips part": 5, "mouth widens": 1},
    )
    regions = ["pose", "mouth", "mouth", "eyes", "gaze", "gaze", "expression"]
    assert propose_titles(seen, regions) == (
        "head turns left", "mouth widens", "lips part", "eyes close", "gaze detail 1",
        "gaze detail 2", "lips part, mouth widens",
    )  # fmt: skip


def test_what_faces_disagree_about_is_no_title():
    seen = effects({"lips part": 3, "mouth widens": 1})
    seen.agreement[0, [move.rises for move in MOVES].index("lips part")] = 0.5
    assert propose_titles(seen, ["mouth"]) == ("mouth widens",)
