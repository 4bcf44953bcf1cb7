"""Reaching: expressions that no controls of a rig give, taken from the generator's own faces.

No channels open a mouth as wide as a shout, so that a tuning begins with a keyframe's mouth shut
and learns to paint it. Faces of the generator do shout: directions in W lead the person's landmarks
there, a short descent takes back what else those directions changed, and the responses of the
styles are changed so that the frame's own controls give what was found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from facecodec.fit.comparison import Comparison
from facecodec.fit.descent import descend
from facecodec.fit.recovery import BETTER, LEAST, Array, all_missed, lead, missed
from facecodec.fit.response import Response, channel_spread
from facecodec.fit.retargeting import Retargeter, RetargetingPlan, See
from facecodec.fit.tracking import POSE
from facecodec.generator.base import Generator

# What compares the frames of a fit and their controls [K, 35] to a change of responses, as below.
Reach = Callable[[Comparison, Tensor], Tensor]

REACH = 8.0  # standard deviations
PLAN = RetargetingPlan(looks=16, noise=4.0)
SIZE = 128  # pixels of the pictures compared
STEPS, RATE = 90, 0.03  # of the descent, units of a channel's spread
CALM = 0.01  # penalty on the squares of what it changes
OFTEN = 15  # steps between looks at the landmarks
KEPT = 1.2  # times the least miss that a later state may miss
RIDGE = 0.1  # squared standard deviations
MOST = 8  # frames: each takes some 90 steps


def far_off(misses: Array) -> list[int]:
    """Return which frames are to be reached: those that miss most, if by more than `LEAST`.

    A few that are painted pull those like them back, so that being far from the median, as lost
    frames are, does not matter here.
    """
    worst = np.argsort(-np.nan_to_num(misses, posinf=1e9), kind="stable")[:MOST]
    return [int(k) for k in sorted(worst) if misses[k] > LEAST]


def reached(
    generator: Generator,
    response: Response,
    axes: Tensor,
    readings: Array,
    compare: Comparison,
    wanted: Array,
    controls: Tensor,
    look: Callable[[Response], See],
) -> Tensor:
    """Return a change of the responses [35, num_styles] in units of the channels' spread.

    With it the `controls` [K, 35] of frames far off show what their features
    `wanted` [K, F] say, and those of others what they showed. `axes` [A, num_styles] are the
    directions looked along, pose first, and `readings` [A - 3, F - 3] @ what the features change
    are how many of each there are; `compare` knows the frames, and `look` gives the features
    of a response's face at controls. A frame that is not led nearer than before has no say.
    """
    _, misses = all_missed(look(response), controls, wanted)
    chosen = far_off(misses)
    if not chosen:
        return torch.zeros_like(response.basis)
    spread = channel_spread(generator)
    along = look(Response(response.styles, axes))
    retargeter = Retargeter(along, np.full(len(axes), REACH), PLAN)
    at_rest = np.zeros(len(axes))
    rest = along(at_rest[None])[0]
    say = torch.ones(len(controls), dtype=torch.bool)
    change = spread.new_zeros(len(controls), generator.num_styles)
    led: list[Array] = []
    for k in chosen:
        said = np.nan_to_num(readings @ (wanted[k] - rest)[POSE:])
        guess = np.concatenate([at_rest[:POSE], np.clip(said, -REACH, REACH)])
        led.append(lead(retargeter, at_rest, [guess, *led], wanted[k]))
        begin = response.styles + torch.from_numpy(led[-1]).float().to(axes.device) @ axes
        styles, left = _repainted(generator, begin, spread, compare, k, wanted[k], look)
        say[k] = bool(left < BETTER * misses[k])
        change[k] = styles - response.styles - controls[k].float() @ response.basis
    told = controls[say].float().to(spread.device)
    square = told.T @ told + RIDGE * torch.eye(told.shape[1], device=told.device)
    return torch.linalg.solve(square, told.T @ change[say]) / spread


def _repainted(
    generator: Generator,
    begin: Tensor,
    spread: Tensor,
    compare: Comparison,
    frame: int,
    wanted: Array,
    look: Callable[[Response], See],
) -> tuple[Tensor, float]:
    """Return styles [num_styles] near `begin` that look like a frame, and how far they miss it.

    Of a descent on pictures, the last state whose landmarks are about as near as any's: on its way
    it may give up the mouth it began with.
    """
    moved = torch.zeros_like(spread, requires_grad=True)
    nowhere = np.zeros(1)

    def miss(styles: Tensor) -> float:
        return missed(look(Response(styles, spread.new_zeros(1, len(spread)))), nowhere, wanted)

    states = [(miss(begin), begin)]
    for step, _ in descend([([moved], RATE)], itertools.repeat(frame), STEPS):
        if step and step % OFTEN == 0:
            now = (begin + moved * spread).detach()
            states.append((miss(now), now))
        shown = generator.preview((begin + moved * spread)[None], SIZE)
        loss = compare(frame, shown) + CALM * moved.square().mean()
        loss.backward()
    least = min(left for left, _ in states)
    left, styles = [state for state in states if state[0] <= KEPT * least][-1]
    return styles, left
