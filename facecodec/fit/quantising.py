"""Quantising controls by what is seen of it: steps for a person, and levels that cost few bytes.

What an error of the controls does to the picture is e' H e, with e the error and H the information
of tracking: the Gauss-Newton normal matrix of the picture, in which eyes and mouth weigh most. Two
things follow from it.

Steps. Where every control leaves the same error in the picture, the bytes for a given error are
fewest (reverse water-filling; Cover and Thomas 2006, Elements of Information Theory, section
10.3.3). What a control does differs from person to person by more than a rig can know.

Levels. Errors of controls that act on the same pixels may cancel, and a level that stays where it
is costs the fewest bits. So levels are not rounded one by one: descent over single levels lowers
the error in the picture plus a weight times the bits.

All of this is the encoder's: a stream names its steps, and readers see levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding.steps import (
    HALF_OCTAVE_CODES,
    RIG_QUALITY,
    control_steps,
    from_levels,
    to_levels,
)
from facecodec.types import Controls, Floats

Levels = NDArray[np.int64]

# Times the rig's step that a person's may be: what tracking hardly sees is not thrown away, and
# nothing is finer than it can be told apart.
STEP_RANGE = (0.35, 4.0)
BALANCING_ROUNDS = 30  # in which the range and the equal errors are brought together
# Share of what rounding loses that may be lost: the information weighs eyes and mouth most, and
# with all of it pixels of the whole face differ by a tenth more (benchmarks/picture_rate.py).
ALLOWED_SHARE = 0.75
BIT_WEIGHT = 0.1  # of a bit, in squared steps of usual effect
SWEEPS = 3  # over all levels
REACH_STEPS = 2.0  # that a level may be away from its control
# Bits of a change are counted by its size, in each control and, for so many frames' worth, in all.
MOST_CHANGE = 8  # levels, beyond which a change costs as much
SHARED_FRAMES = 8
# Points of quality by which steps may be coarser or finer than is estimated, to lose as much.
MOST_POINTS = 24
QUALITIES = (0, 100)
# Of frames one after the other:
FRAME_POINTS = 5  # of quality by which steps may be coarser, since errors cancel
FRAME_SWEEPS = 2  # over the levels of a frame
FORGETTING = 0.98  # what counts of changes keep, from one frame to the next
# How many frames' changes by 0 to MOST_CHANGE levels are supposed to have been seen before.
FIRST_CHANGES = np.array([8, 6, 3, 2, 1, 1, 0.7, 0.5, 1])
POINTS_AN_OCTAVE = 2 * HALF_OCTAVE_CODES  # a code is a point of quality


@dataclass(frozen=True)
class Quantised:
    """Controls as a stream stores them.

    steps: float32 [K]. controls: float32 [T, K], whole numbers of them. error, plain_error: mean
    square in the picture, in the information's units, of these controls and of rounding to the
    rig's steps.
    """

    steps: NDArray[np.float32]
    controls: Controls
    error: float
    plain_error: float


def person_steps(base_steps: Floats, information: Floats, quality: int) -> NDArray[np.float32]:
    """Return a person's steps, float32 [K], which leave in the picture what the rig's leave.

    base_steps [K]: the rig's at `RIG_QUALITY`, in standard deviations. information [K, K]: of the
    person's picture. quality: 0 to 100. The rig's own steps where nothing is known.
    """
    shape, points = _shape(base_steps, information)
    return control_steps(base_steps * shape, int(np.clip(quality - points, *QUALITIES)))


def quantised(
    controls: Controls, base_steps: Floats, information: Floats, quality: int
) -> Quantised:
    """Return controls [T, K] quantised to lose no more in the picture than rounding would.

    base_steps, information, quality: see `person_steps`. Of the steps at which that holds the
    coarsest are taken, to a point of quality. Raises UsageError for controls that a stream cannot
    carry.
    """
    exact = np.asarray(controls, np.float64)
    plain = control_steps(base_steps, quality)
    rounded = from_levels(to_levels(controls, plain), plain)
    allowed = picture_error(rounded - exact, information)
    if not _known(information):
        return Quantised(plain, rounded, allowed, allowed)
    shape, points = _shape(base_steps, information)

    def at(coarser: int) -> Quantised:
        """Return the controls at steps so many points coarser than those of equal effect."""
        chosen = int(np.clip(quality - points - coarser, *QUALITIES))
        steps = control_steps(base_steps * shape, chosen)
        made = from_levels(economical_levels(exact / steps, information, steps), steps)
        return Quantised(steps, made, picture_error(made - exact, information), allowed)

    low, high = -MOST_POINTS, MOST_POINTS
    best = at(low)
    while low < high:
        middle = (low + high + 1) // 2
        made = at(middle)
        if made.error <= ALLOWED_SHARE * allowed:
            low, best = middle, made
        else:
            high = middle - 1
    return best if best.error <= allowed else Quantised(plain, rounded, allowed, allowed)


class FrameQuantiser:
    """Chooses the levels of a live sender's frames, one after the other.

    As `quantised` does, without the frames to come: what a change costs is counted in the frames so
    far. steps: float32 [K], the person's.
    """

    def __init__(self, base_steps: Floats, information: Floats, quality: int) -> None:
        """base_steps [K], information [K, K], quality: see `person_steps`."""
        coarser = FRAME_POINTS if _known(information) else 0
        self.steps = person_steps(base_steps, information, max(0, quality - coarser))
        scale = self.steps.astype(np.float64)
        self._effect = information * np.outer(scale, scale)
        self._weight = BIT_WEIGHT * float(np.mean(np.diag(self._effect)))
        count = len(scale)
        self._changes = np.tile(FIRST_CHANGES[:, None], count)  # how many so far, by their size
        self._last: Levels | None = None

    def __call__(self, controls: Controls) -> Controls:
        """Return the controls [K] of the next frame in whole steps, float32.

        Raises UsageError for controls that a stream cannot carry.
        """
        exact = np.asarray(controls, np.float64) / self.steps
        levels = to_levels(exact, np.ones(len(exact), np.float32))
        if self._last is not None:
            levels = self._chosen(exact, levels, self._last)
            change = np.minimum(np.abs(levels - self._last), MOST_CHANGE)
            self._changes *= FORGETTING
            self._changes[change, np.arange(len(change))] += 1
        self._last = levels
        return from_levels(levels, self.steps)

    def _chosen(self, exact: Floats, nearest: Levels, last: Levels) -> Levels:
        """Return levels [K] near to exact ones [K], `nearest` at first, after those of `last`."""
        costs = self._weight * _costs(self._changes)
        levels, slope = nearest.copy(), _applied((nearest - exact)[None], self._effect)[0]
        stays = np.clip(last, np.ceil(exact - REACH_STEPS), np.floor(exact + REACH_STEPS))
        options = np.stack([nearest, nearest - 1, nearest + 1, stays.astype(np.int64)])
        rates = costs[np.minimum(np.abs(options - last), MOST_CHANGE), np.arange(len(last))]
        for _ in range(FRAME_SWEEPS):
            for k in range(len(levels)):
                move = options[:, k] - levels[k]
                total = move * (2 * slope[k] + move * self._effect[k, k]) + rates[:, k]
                taken = move[total.argmin()]
                if taken:
                    levels[k] += taken
                    slope += taken * self._effect[k]
        return levels


def picture_error(errors: Floats, information: Floats) -> float:
    """Return the mean of e' H e over errors [T, K] of the controls; information [K, K]."""
    return float(np.mean(np.sum(_applied(errors, information) * errors, axis=1)))


def _applied(errors: Floats, effect: Floats) -> Floats:
    """Return errors [T, K] times a matrix [K, K], summed in the same order with any threads."""
    result: Floats = np.einsum("tk,kj->tj", errors, effect)
    return result


def economical_levels(values: Floats, information: Floats, steps: NDArray[np.float32]) -> Levels:
    """Return levels [T, K] for values [T, K] in steps, of little error and few bits.

    information [K, K], of controls; steps [K]. Frames are taken in two halves, the even and the
    odd ones, so that those of a half do not depend on each other.
    """
    scale = steps.astype(np.float64)
    effect = information * np.outer(scale, scale)
    weight = BIT_WEIGHT * float(np.mean(np.diag(effect)))
    nearest = to_levels(values, np.ones(values.shape[1], np.float32))
    levels = nearest.copy()
    for _ in range(SWEEPS):
        costs = weight * bit_costs(levels)
        for half in (0, 1):
            _descend(levels, nearest, values, effect, costs, np.arange(half, len(values), 2))
    return levels


def _descend(
    levels: Levels, nearest: Levels, values: Floats, effect: Floats, costs: Floats,
    rows: NDArray[np.int64],
) -> None:  # fmt: skip
    """Move the levels [T, K] of some rows, none beside another, one control after the other.

    nearest [T, K]: the levels nearest to values [T, K]. effect [K, K]: of errors in steps. costs
    [MOST_CHANGE + 1, K]: of changes from frame to frame.
    """
    slope = _applied(levels[rows] - values[rows], effect)
    before, after = rows - 1, rows + 1
    has_before, has_after = before >= 0, after < len(levels)
    before, after = np.maximum(before, 0), np.minimum(after, len(levels) - 1)
    for k in range(levels.shape[1]):
        now, near = levels[rows, k], nearest[rows, k]
        low = np.ceil(values[rows, k] - REACH_STEPS).astype(np.int64)
        high = np.floor(values[rows, k] + REACH_STEPS).astype(np.int64)
        last, following = levels[before, k], levels[after, k]
        stays, leads = np.clip(last, low, high), np.clip(following, low, high)
        options = np.stack([now, near, near - 1, near + 1, stays, leads])
        move = options - now
        total = 2 * move * slope[:, k] + move**2 * effect[k, k]
        for there, others in ((has_before, last), (has_after, following)):
            total += there * costs[np.minimum(np.abs(options - others), MOST_CHANGE), k]
        taken = move[total.argmin(axis=0), np.arange(len(rows))]
        levels[rows, k] += taken
        slope += taken[:, None] * effect[k]


def bit_costs(levels: Levels) -> Floats:
    """Return the bits of a change by 0 to MOST_CHANGE levels of each control, [., K].

    By how often there is one in levels [T, K]: in this control and, for a few frames' worth, in
    all of them; a larger change never costs less than a smaller one.
    """
    size = np.minimum(np.abs(np.diff(levels, axis=0)), MOST_CHANGE)
    each = np.stack([(size == change).sum(axis=0) for change in range(MOST_CHANGE + 1)])
    counts = each + SHARED_FRAMES * (each.sum(axis=1, keepdims=True) + 0.5) / max(size.size, 1)
    return _costs(counts)


def _costs(counts: Floats) -> Floats:
    """Return the bits of changes, [., K], that are as frequent as `counts` [., K] say."""
    costs: Floats = -np.log2(counts / counts.sum(axis=0))
    costs[1:] += 1  # the sign
    return np.maximum.accumulate(costs, axis=0)


def _shape(base_steps: Floats, information: Floats) -> tuple[Floats, int]:
    """Return what the rig's steps are to be multiplied by, [K], and how many points coarser.

    All errors together are then those of the rig's steps, but for the rounding of steps to half
    octaves.
    """
    effect, plain = np.diag(information), control_steps(base_steps, RIG_QUALITY)
    usual = effect * plain.astype(np.float64) ** 2
    if not _known(information):
        return np.ones(len(usual)), 0
    low, high = STEP_RANGE
    floor = np.maximum(usual, np.finfo(float).tiny)
    level = 1.0
    for _ in range(BALANCING_ROUNDS):
        shape = np.clip(level * floor**-0.5, low, high)
        level *= float(np.sqrt(usual.sum() / (usual * shape**2).sum()))
    steps = control_steps(base_steps * shape, RIG_QUALITY).astype(np.float64)
    finer = float(usual.sum() / (effect * steps**2).sum())
    return shape, round(POINTS_AN_OCTAVE / 2 * float(np.log2(finer)))


def _known(information: Floats) -> bool:
    """Return whether pictures say anything of any control."""
    return bool(np.diag(information).max(initial=0.0) > 0)
