"""Naturalness: latents of the mapping network are natural, those farther out than any are not."""

from __future__ import annotations

import pytest
import torch

from facecodec.fit.naturalness import Naturalness
from facecodec.fit.search_space import principal_directions
from facecodec.generator.sampling import draw_latents


@pytest.fixture(scope="module")
def measured(generator):
    return Naturalness(generator, principal_directions(generator))


def rows(generator, seed: int) -> torch.Tensor:
    """One latent [num_ws, w_dim] whose rows are those of other people each: natural, one by one."""
    return draw_latents(generator, generator.num_ws, seed, truncation=1.0)


def test_people_of_the_generator_are_hardly_beyond_its_spread(generator, measured):
    assert float(measured.excess(rows(generator, 11))) < 0.3


def test_the_mean_is_not_beyond_it(generator, measured):
    mean = generator.w_mean.expand(generator.num_ws, -1)
    assert float(measured.excess(mean)) == 0


def test_a_person_twice_as_far_out_is_and_is_drawn_back(generator, measured):
    far = (2 * rows(generator, 11) - generator.w_mean).requires_grad_()
    excess = measured.excess(far)
    assert excess.item() > 2
    excess.backward()
    nearer = far.detach() - 0.05 * far.grad / far.grad.abs().max()
    assert float(measured.excess(nearer)) < excess.item()


def test_one_row_that_leaves_along_a_direction_in_which_faces_hardly_differ_costs(
    generator, measured
):
    mean = generator.w_mean.expand(generator.num_ws, -1).clone()
    flattest = int(measured.spread.argmin())
    mean[5] += 60 * measured.spread[flattest] * principal_directions(generator)[flattest]
    assert float(measured.excess(mean)) > 0.1
