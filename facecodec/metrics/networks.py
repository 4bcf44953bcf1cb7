"""LPIPS, FID and FVD: measures that need the weights of a network. Absent ones are never replaced.

The weights are installed into the local store (`facecodec model install NAME --from FILE`);
without them the measure is n/a.
"""

from __future__ import annotations

from facecodec.metrics.evaluate import PairMeasure


def load(puppet: bool = False) -> tuple[dict[str, PairMeasure], dict[str, str]]:
    """Return the measures that can be had, by name, and for the others what they need."""
    return {}, {}
