"""Reaching: a frame that no controls show is found among other faces, and its controls give it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facecodec.fit.comparison import Comparison
from facecodec.fit.objective import Target
from facecodec.fit.reaching import MOST, far_off, reached
from facecodec.fit.recovery import missed
from facecodec.fit.response import Response, channel_spread

CONTROLS, STYLES, FEATURES, FRAMES, LOST = 35, 40, 50, 6, 4
MOUTH = STYLES - 1  # a channel that no control moves
RNG = np.random.default_rng(0)
ANSWERS = RNG.standard_normal((FEATURES, STYLES)) * 6
PATTERNS = torch.from_numpy(RNG.standard_normal((STYLES, 3, 8, 8)) / 40).float()
AFFINE = torch.from_numpy(RNG.standard_normal((8, STYLES))).float()


class Generator:
    """Draws styles as a sum of patterns, or nothing."""

    num_ws, w_dim, num_styles = 1, 8, STYLES
    w_mean = torch.zeros(8)
    blank = 1.0

    def styles(self, rows):
        return rows[:, 0] @ AFFINE

    def preview(self, styles, size):
        picture = torch.einsum("ns,schw->nchw", self.blank * styles, PATTERNS)
        return torch.nn.functional.interpolate(picture, size=(size, size))


def look(response):
    basis, styles = response.basis.double().numpy(), response.styles.double().numpy()
    return lambda controls: (styles + controls @ basis) @ ANSWERS.T


@pytest.fixture
def clip():
    """Six frames of a person, of which one opens a mouth that the controls cannot."""
    generator = Generator()
    response = Response(torch.zeros(STYLES), torch.eye(CONTROLS, STYLES))
    controls = torch.from_numpy(0.3 * np.random.default_rng(1).standard_normal((FRAMES, CONTROLS)))
    styles = controls.float() @ response.basis
    styles[LOST, MOUTH] = 5.0
    axes = torch.zeros(5, STYLES)
    axes[:3, :3] = torch.eye(3)
    axes[3, 7] = 1.0
    axes[4, MOUTH], axes[4, 12] = 1.0, 0.4  # opens the mouth, and changes what it should not
    pictures = generator.preview(styles, 128)
    targets = [Target(picture, torch.ones(1, 128, 128), None) for picture in pictures]
    wanted = styles.double().numpy() @ ANSWERS.T
    readings = np.linalg.pinv(ANSWERS @ axes.double().numpy().T)[3:, 3:]
    compare = Comparison(targets, None, 0.0, 0.0)
    return generator, response, axes, readings, compare, wanted, controls


def misses(generator, response, wanted, controls, values):
    now = Response(response.styles, response.basis + values * channel_spread(generator))
    rows = controls.double().numpy()
    return [missed(look(now), row, w) for row, w in zip(rows, wanted, strict=True)]


def test_a_lost_frame_is_reached_and_others_stay(clip):
    generator, response, *_, wanted, controls = clip
    before = misses(generator, response, wanted, controls, 0.0)
    after = misses(generator, response, wanted, controls, reached(*clip, look))
    assert after[LOST] < 0.2 * before[LOST]
    assert max(np.delete(after, LOST)) < 0.1 * before[LOST]


def test_a_frame_that_no_axis_leads_nearer_has_no_say(clip):
    generator, response, axes, readings, compare, wanted, controls = clip
    generator.blank = 0.0
    values = reached(generator, response, 0 * axes, 0 * readings, compare, wanted, controls, look)
    assert float(values.abs().max()) < 1e-3


def test_nothing_changes_where_no_frame_is_lost(clip):
    generator, response, axes, readings, compare, wanted, controls = clip
    wanted[LOST] = wanted[0] * np.nan
    values = reached(generator, response, axes, readings, compare, wanted, controls, look)
    assert not values.any()


def test_the_farthest_few_are_reached():
    misses = np.array([1.0, np.inf, np.nan, 5.0, *np.linspace(6.0, 9.0, 12)])
    chosen = far_off(misses)
    assert len(chosen) == MOST
    assert chosen == sorted(chosen)
    assert 1 in chosen
    assert not {0, 2, 3} & set(chosen)
    assert far_off(np.array([1.0, np.nan, 3.9])) == []
