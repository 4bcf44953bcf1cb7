"""Presets: what all of them have in common."""

from __future__ import annotations

import pytest

from facecodec.encoding.presets import PRESETS, preset_of
from facecodec.errors import UsageError


@pytest.mark.parametrize("name", PRESETS)
def test_every_fit_ends_with_full_renders(name):
    """Previews alone leave skin and hair as wax, and combs of the finest pixels unseen."""
    preset = PRESETS[name]
    for fit in (preset.inversion, preset.tuning, preset.weights):
        assert fit.full_steps >= 20


def test_an_unknown_preset_is_refused_by_the_names_there_are():
    with pytest.raises(UsageError, match="no preset 'sharp'; there are: .*fast, medium, slow"):
        preset_of("sharp")
