"""Rigs of other sizes than the shipped one."""

from __future__ import annotations

from dataclasses import replace

from facecodec.rig.rig import Rig


def resized(rig: Rig, offsets: int, expressions: int) -> Rig:
    """Return a rig with the first of another's offsets, again where it has too few."""
    some = (rig.offsets * 3)[:offsets]
    return replace(rig, offsets=some, expressions=rig.expressions[:expressions], titles=())
