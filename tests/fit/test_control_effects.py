"""What a tuning makes of the controls: rows of their own, or directions that they share."""

from __future__ import annotations

import torch

from facecodec.fit.control_effects import OwnEffects, SharedEffects

CONTROLS, STYLES = 6, 40


def keyframes(spread: float = 1.0) -> torch.Tensor:
    """Return controls [9, 6] that vary in two ways alone."""
    torch.manual_seed(0)
    return spread * torch.randn(9, 2) @ torch.randn(2, CONTROLS)


def test_nothing_is_added_at_first():
    basis, controls = torch.randn(CONTROLS, STYLES), keyframes()
    for effects in (OwnEffects(basis, 1.0), SharedEffects(basis, controls, 2, (1.0, 1.0))):
        assert not effects.added(controls[0]).any()
        assert not effects.size()


def test_shares_begin_along_what_the_keyframes_do():
    controls = keyframes()
    effects = SharedEffects(torch.zeros(CONTROLS, STYLES), controls, 2, (1.0, 1.0))
    along = controls @ effects.shares.detach()
    assert torch.allclose(along.square().mean(0), torch.ones(2), atol=1e-4)
    assert abs(float((along[:, 0] * along[:, 1]).mean())) < 1e-4


def test_scaling_changes_nothing_that_is_drawn():
    controls = keyframes()
    effects = SharedEffects(torch.zeros(CONTROLS, STYLES), controls, 2, (1.0, 1.0))
    with torch.no_grad():
        effects.directions.copy_(torch.randn(2, STYLES))
        effects.shares.mul_(5.0)
    rows, shares = effects.scaled(controls)
    wanted = torch.stack([effects.added(at) for at in controls])
    assert torch.allclose(controls @ shares @ rows, wanted, atol=1e-4)
    assert torch.allclose((controls @ shares).square().mean(0), torch.ones(2), atol=1e-4)


def test_a_picture_that_does_not_move_takes_no_large_shares():
    effects = SharedEffects(torch.zeros(CONTROLS, STYLES), torch.zeros(1, CONTROLS), 4, (1.0, 1.0))
    assert effects.directions.shape == (1, STYLES)
    assert effects.shares.abs().max() <= 10
