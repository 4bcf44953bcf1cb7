"""How strongly a puppet takes what its driver does, region by region."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facecodec.errors import UsageError
from facecodec.face.expression import (
    BROW_FEATURES,
    LID_FEATURES,
    LIP_FEATURES,
    NUM_FEATURES,
    OUTLINE_FEATURES,
)
from facecodec.face.signals import NUM_POSE
from facecodec.rig.choice import regions_of
from facecodec.rig.regions import Region
from facecodec.rig.rig import Rig
from facecodec.types import Flags, Floats

STRENGTH_LIMIT = 10.0  # beyond which no face follows
# The regions whose strength a group of features has: the first of them that is not 0.
MOUTH_REGIONS = (Region.MOUTH, Region.JAW, Region.EXPRESSION)
EYE_REGIONS = (Region.EYES, Region.EXPRESSION)
BROW_REGIONS = (Region.BROWS, Region.EXPRESSION)


@dataclass(frozen=True)
class Strengths:
    """A factor for each region: 1 as the driver does, 0 not at all.

    Landmarks show pose, mouth, lids and brows: their features are scaled before controls are
    sought. What they do not show, gaze, is scaled as controls. Whole expressions belong to no
    region, and help wherever the mouth, the eyes or the brows move; their own strength says how
    much of the driver's is where the search begins.
    """

    factors: Mapping[Region, float]

    @classmethod
    def of(
        cls, regions: Sequence[str] | None = None, strength: float | Mapping[str, float] = 1.0
    ) -> Strengths:
        """Return the strengths of some regions, 0 for all others.

        regions: their names; None for all. strength: one for all of these, or one by region, 1
        where none is given. Raises UsageError for an unknown region, one that is not among
        `regions`, and a strength that is not 0 to 10.
        """
        chosen = tuple(Region) if regions is None else regions_of(regions)
        if isinstance(strength, Mapping):
            given = {regions_of([name])[0]: value for name, value in strength.items()}
            idle = [region for region in given if region not in chosen]
            if idle:
                raise UsageError(f"a strength for {idle[0]}, which is not among the regions")
        else:
            given = dict.fromkeys(chosen, strength)
        for region, value in given.items():
            if not (math.isfinite(value) and 0 <= value <= STRENGTH_LIMIT):
                raise UsageError(
                    f"strength {value:g} of {region} is not in 0 to {STRENGTH_LIMIT:g}",
                    argument="strength",
                )
        return cls({region: float(given.get(region, region in chosen)) for region in Region})

    @property
    def plain(self) -> bool:
        """Return whether everything is as the driver does it."""
        return all(factor == 1 for factor in self.factors.values())

    def features(self) -> Floats:
        """Return the factor of each feature, [50]."""
        factors = np.empty(NUM_FEATURES)
        factors[:NUM_POSE] = self.factors[Region.POSE]
        factors[OUTLINE_FEATURES] = factors[LIP_FEATURES] = self._first(MOUTH_REGIONS)
        factors[LID_FEATURES] = self._first(EYE_REGIONS)
        factors[BROW_FEATURES] = self._first(BROW_REGIONS)
        return factors

    def controls(self, rig: Rig) -> Floats:
        """Return the factor of each control, [K]."""
        return np.array([self.factors[Region(region)] for region in rig.regions])

    def free(self, rig: Rig) -> Flags:
        """Return which controls may move, bool [K].

        Whole expressions may where landmarks show anything of a region that moves.
        """
        seen = self._first((*MOUTH_REGIONS, Region.EYES, Region.BROWS)) > 0
        return np.array(
            [
                self.factors[Region(region)] > 0 or (region == Region.EXPRESSION and seen)
                for region in rig.regions
            ]
        )

    def _first(self, regions: Sequence[Region]) -> float:
        """Return the strength of the first of some regions that has any, or else 0."""
        return next((self.factors[r] for r in regions if self.factors[r]), 0.0)
