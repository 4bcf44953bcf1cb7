"""What the eye sees and decibels do not: detail by octave, a weave, the colour of the skin.

A blurred face has more decibels than a sharp one whose pores lie elsewhere. So the amount of detail
is measured too, octave by octave, beside that of the source, where the source has it: pictures are
compared at the largest size that the source's own square fills.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from facecodec.metrics.colour import colour_difference
from facecodec.metrics.pictures import WINDOW, mean_known, psnr, ssim

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Values = NDArray[np.float64]

FULL_PIXELS = 1024  # side of the picture in whose pixels octaves and periods are told
OCTAVES = (1, 2, 4, 8, 16)  # pixels of a picture of 1024
COLOUR_PIXELS = 64  # side at which colours are compared: theirs, not those of displaced detail
PATCH_PIXELS = 32  # of the compared picture, over which a spectrum is taken; half of them overlap
LONGEST_WAVE_PIXELS = 12  # pixels of a picture of 1024: a longer wave is no weave
REGIONS = ("face", "rest")


def octaves_of(size: int) -> tuple[int, ...]:
    """Return the octaves that a square of `size` pixels shows."""
    return tuple(octave for octave in OCTAVES if octave * size >= FULL_PIXELS)


def bands(picture: Picture) -> dict[int, Values]:
    """Return the size of a picture's detail [S, S] by octave, in grey levels, mean of channels.

    The octave of p pixels is the picture averaged over p by p pixels (of 1024) less what is left of
    it over 2p by 2p, drawn large again.
    """
    side = picture.shape[0]
    now = (
        torch.from_numpy(np.require(picture, requirements=("C", "W")))
        .permute(2, 0, 1)[None]
        .float()
    )
    sizes: dict[int, Values] = {}
    for octave in octaves_of(side):
        smaller = F.avg_pool2d(now, 2)
        lost = now - F.interpolate(smaller, scale_factor=2, mode="bilinear")
        size = lost.abs().mean(1, keepdim=True)
        sizes[octave] = F.interpolate(size, size=(side, side))[0, 0].double().numpy()
        now = smaller
    return sizes


@dataclass(frozen=True)
class Weave:
    """The wave of which the decoded picture has most beyond the source's.

    `region`: 'face' or 'rest'. `strength` is the amplitude of the excess in grey levels, root mean
    square over the region; `period` its length in pixels of a picture of 1024 and `angle` its
    direction in degrees, 0 for vertical lines, 90 for horizontal ones.
    """

    region: str
    strength: float
    period: float
    angle: float


@dataclass(frozen=True)
class Detail:
    """What `DetailMeter` measured, at `size` pixels a side.

    `octaves`: region -> octave -> decoded detail over the source's. `psnr`, `ssim` are the inner
    face's at `size`, `skin` its mean difference of colour in CIELAB; None without a face.
    `weave`: None where the decoded picture has no more of any wave.
    """

    size: int
    frames: int
    octaves: dict[str, dict[int, float]]
    psnr: float | None
    ssim: float | None
    skin: float | None
    weave: Weave | None

    def values(self) -> dict[str, float | None]:
        """Return the figures by their names in `facecodec.metrics.measures`."""
        ratios = {
            f"detail_{region}_{octave}": self.octaves[region].get(octave)
            for region in REGIONS
            for octave in OCTAVES
        }
        return {
            **ratios,
            "weave": self.weave.strength if self.weave else 0.0,
            "psnr_face_large": self.psnr,
            "ssim_face_large": self.ssim,
            "skin_colour": self.skin,
        }

    def as_json(self) -> dict[str, Any]:
        """Return the size, and the weave as measured."""
        return {
            "size": self.size,
            "frames": self.frames,
            "weave": asdict(self.weave) if self.weave else None,
        }


@dataclass
class DetailMeter:
    """Adds up detail over pairs of pictures [S, S, 3] of one size in SQUARE_SIZES.

    Means over a clip are taken before any ratio: a frame without detail counts by what it lacks.
    """

    size: int
    _frames: int = 0
    _sums: dict[tuple[str, str, int], float] = field(default_factory=dict)
    _power: dict[tuple[str, str], Values] = field(default_factory=dict)
    _patches: dict[str, int] = field(default_factory=dict)
    _face: list[tuple[float, float, float]] = field(default_factory=list)

    def add(self, source: Picture, decoded: Picture, face: Mask | None) -> None:
        """Compare a pair [S, S, 3]; `face` [S, S] is the inner face, None where there is none.

        Raises ValueError for pictures of another size.
        """
        shape = (self.size, self.size, 3)
        if source.shape != shape or decoded.shape != shape:
            raise ValueError(f"pictures of {source.shape} and {decoded.shape}, not {shape}")
        self._frames += 1
        inside = np.zeros(shape[:2], bool) if face is None else face
        for name, picture in (("source", source), ("decoded", decoded)):
            for octave, size in bands(picture).items():
                for region, mask in zip(REGIONS, (inside, ~inside), strict=True):
                    key = name, region, octave
                    self._sums[key] = self._sums.get(key, 0.0) + float(size[mask].sum())
            self._add_spectra(name, picture, inside)
        if face is not None and face.any():
            self._face.append(_compared(source, decoded, face))

    def _add_spectra(self, name: str, picture: Picture, inside: Mask) -> None:
        """Add the power of waves in those patches of a picture [S, S, 3] that lie in one region."""
        tiles = _tiles(picture.mean(2))
        belongs = _tiles(inside.astype(np.float64)).mean((1, 2))
        window = np.hanning(PATCH_PIXELS)
        window = window[:, None] * window
        centred = tiles - tiles.mean((1, 2), keepdims=True)
        amplitude = 2 * np.abs(np.fft.rfft2(centred * window)) / window.sum()
        for region, mine in zip(REGIONS, (belongs == 1, belongs == 0), strict=True):
            power = (amplitude[mine] ** 2).sum(0)
            self._power[name, region] = self._power.get((name, region), 0.0) + power
            if name == "source":
                self._patches[region] = self._patches.get(region, 0) + int(mine.sum())

    def result(self) -> Detail:
        """Return what was measured. Raises ValueError before the first pair."""
        if not self._frames:
            raise ValueError("no pictures to compare")
        octaves: dict[str, dict[int, float]] = {region: {} for region in REGIONS}
        for region in REGIONS:
            for octave in octaves_of(self.size):
                wanted = self._sums["source", region, octave]
                if wanted > 0:
                    octaves[region][octave] = self._sums["decoded", region, octave] / wanted
        columns = list(zip(*self._face, strict=True)) or [(), (), ()]
        decibels, similar, skin = (mean_known(np.array(column)) for column in columns)
        return Detail(self.size, self._frames, octaves, decibels, similar, skin, self._weave())

    def _weave(self) -> Weave | None:
        """Return the strongest excess in either region of waves up to `LONGEST_WAVE_PIXELS`."""
        down, across = np.fft.fftfreq(PATCH_PIXELS)[:, None], np.fft.rfftfreq(PATCH_PIXELS)[None]
        frequency = np.hypot(down, across) * self.size / FULL_PIXELS  # per pixel of 1024
        allowed = frequency >= 1 / LONGEST_WAVE_PIXELS
        strongest: Weave | None = None
        for region in REGIONS:
            if not self._patches[region]:
                continue
            size = {
                name: np.sqrt(self._power[name, region] / self._patches[region])
                for name in ("source", "decoded")
            }
            excess = np.where(allowed, size["decoded"] - size["source"], 0)
            at = np.unravel_index(int(excess.argmax()), excess.shape)
            if excess[at] > (strongest.strength if strongest else 0):
                angle = np.degrees(np.arctan2(down[at[0], 0], across[0, at[1]])) % 180
                strongest = Weave(region, float(excess[at]), float(1 / frequency[at]), float(angle))
        return strongest


def _tiles(grey: Values) -> Values:
    """Cut a picture [S, S] into tiles [N, PATCH_PIXELS, PATCH_PIXELS], each half over the next."""
    every = np.lib.stride_tricks.sliding_window_view(grey, (PATCH_PIXELS, PATCH_PIXELS))
    return every[:: PATCH_PIXELS // 2, :: PATCH_PIXELS // 2].reshape(-1, PATCH_PIXELS, PATCH_PIXELS)


def _compared(source: Picture, decoded: Picture, face: Mask) -> tuple[float, float, float]:
    """Return PSNR, SSIM and difference of colour of the inner face, pictures [S, S, 3]."""
    rows, columns = np.flatnonzero(face.any(1)), np.flatnonzero(face.any(0))
    edge = WINDOW // 2
    window = np.s_[
        max(rows[0] - edge, 0) : rows[-1] + 1 + edge,
        max(columns[0] - edge, 0) : columns[-1] + 1 + edge,
    ]
    a, b, mask = source[window], decoded[window], face[window]
    small = [_averaged(picture.astype(np.float64), COLOUR_PIXELS) for picture in (source, decoded)]
    weight = _averaged(face.astype(np.float64)[..., None], COLOUR_PIXELS)[..., 0]
    skin = float((colour_difference(*small) * weight).sum() / weight.sum())
    return psnr(a, b, mask), ssim(a, b, mask), skin


def _averaged(picture: Values, size: int) -> Values:
    factor = picture.shape[0] // size
    result: Values = picture.reshape(size, factor, size, factor, -1).mean((1, 3))
    return result
