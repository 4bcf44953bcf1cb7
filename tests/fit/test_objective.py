"""What a fit takes for near."""

from __future__ import annotations

import torch

from facecodec.fit.objective import multiscale_l1, octaves


def test_hair_in_the_wrong_place_is_nearer_than_no_hair():
    strands = torch.Generator().manual_seed(0)
    hair, other_hair = 0.2 * torch.randn(2, 1, 3, 64, 64, generator=strands)
    weights = torch.ones(1, 1, 64, 64)
    wanted = octaves(hair, weights)
    elsewhere = multiscale_l1(other_hair, wanted, 2.0)
    painted_over = multiscale_l1(torch.zeros_like(hair), wanted, 2.0)
    assert elsewhere < painted_over
    assert multiscale_l1(hair, wanted, 2.0) == 0
