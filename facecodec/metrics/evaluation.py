"""What an evaluation takes and gives: settings in, values and their reasons out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facecodec.metrics.detail import Detail
from facecodec.types import Picture

Values = NDArray[np.float64]

IDENTITY_EVERY = 10  # the embedding costs as much as everything else of a frame


class PairMeasure(Protocol):
    """A measure that needs networks: told every pair of pictures, asked once at the end."""

    def add(self, reference: Picture, distorted: Picture) -> None:
        """Add a pair, uint8 RGB [S, S, 3]."""

    def result(self) -> float | None:
        """Return the measure over all pairs, None where they are too few."""


@dataclass(frozen=True)
class Settings:
    """What measures beside the pictures.

    landmarker: MediaPipe's face_landmarker.task, for expression, gaze and pose. networks, missing:
    measures by name that need networks, and why others are absent; see
    `facecodec.metrics.networks.load`. identity_every: the identity is read in every n-th frame.
    """

    landmarker: Path | None = None
    networks: Mapping[str, PairMeasure] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    identity_every: int = IDENTITY_EVERY


@dataclass(frozen=True)
class Evaluation:
    """The result of a comparison.

    values: measure -> value, None where it is unknown; `missing` then says why, and what it needs.
    per_frame: series [T] (`psnr`, `psnr_face`, `ssim_face`, `l1`, `lip_error`, `identity`
    NaN where not read, the inner face's where there is none). worst: the numbers of the frames with
    the lowest PSNR, worst first.
    detail: what the pictures show at their own size; None, and its values absent, where they are
    not of one size in `facecodec.face.alignment.SQUARE_SIZES`.
    moves: how far the reference's landmark signals move (standard deviation, in the signal's own
    units); a correlation with one that hardly moves is a correlation with noise.
    """

    frames: int
    values: dict[str, float | None]
    missing: dict[str, str]
    per_frame: dict[str, Values] = field(repr=False)
    worst: tuple[int, ...] = ()
    moves: dict[str, float | None] = field(default_factory=dict)
    detail: Detail | None = None

    def __getitem__(self, name: str) -> float | None:
        return self.values[name]

    def as_json(self) -> dict[str, Any]:
        """Return numbers and texts only; an infinite value is the text 'inf'."""
        return {
            "frames": self.frames,
            "values": {name: _plain(value) for name, value in self.values.items()},
            "missing": self.missing,
            "worst_frames": list(self.worst),
            "detail": self.detail.as_json() if self.detail else None,
            "reference_moves": {name: _plain(value) for name, value in self.moves.items()},
            "per_frame": {
                name: [_plain(float(v)) for v in row] for name, row in self.per_frame.items()
            },
        }


def _plain(value: float | None) -> float | str | None:
    if value is None or np.isnan(value):
        return None
    return round(float(value), 6) if np.isfinite(value) else ("inf" if value > 0 else "-inf")
