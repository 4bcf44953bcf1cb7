"""Which channels become controls: strong and local by region, and no two with one effect."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.generator.sampling import Sample
from facecodec.progress import Progress
from facecodec.rig.regions import QUOTAS, WHOLE_PICTURE, Region
from facecodec.rig.rig import Offset

CANDIDATES_PER_REGION = 60
LEAST_LOCALITY = 0.2  # share of a candidate's squared change that must fall in its region
SAME_EFFECT_COSINE = 0.9  # above which two channels have the same effect
EFFECT_SIZE = 128  # side in pixels of the pictures that effects are measured on
EFFECT_STEP = 2.0  # standard deviations that a channel is moved by: as far as expressions go
STD_DIGITS, ENERGY_DIGITS, LOCALITY_DIGITS = 6, 4, 4  # decimal places that a rig keeps


def rank(energy: dict[str, Tensor], region: str) -> Tensor:
    """Return the score of every channel for a region, [num_styles]: energy inside times locality.

    `energy` [num_styles] by region is `region_energy`'s. Locality is the share of the channel's
    whole squared change that falls inside the region.
    """
    return energy[region].sqrt() * energy[region] / energy[WHOLE_PICTURE].clamp_min(1e-12)


def effects(
    generator: Generator, sample: Sample, stds: Tensor, channels: list[int], faces: int
) -> Tensor:
    """Return what each of C channels does to small pictures of `faces` faces, rows [C, values].

    `stds` [num_styles] are the channels' standard deviations; every row has length 1.
    """
    rows: list[list[Tensor]] = [[] for _ in channels]
    with torch.no_grad():
        for face in range(faces):
            styles = generator.styles(generator.broadcast(sample.w[face : face + 1]))
            base = generator.preview(styles, EFFECT_SIZE)
            for row, channel in zip(rows, channels, strict=True):
                moved = styles.clone()
                moved[0, channel] += EFFECT_STEP * stds[channel]
                row.append((generator.preview(moved, EFFECT_SIZE) - base).flatten())
    matrix = torch.stack([torch.cat(row) for row in rows])
    unit: Tensor = matrix / matrix.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return unit


def choose_offsets(
    generator: Generator,
    sample: Sample,
    stds: Tensor,
    energy: dict[str, Tensor],
    faces: int = 2,
    progress: Progress | None = None,
) -> tuple[Offset, ...]:
    """Return the best channels of every region, as many as its quota.

    `stds` and `energy`, by region, [num_styles] each; `faces` of the sample are compared.
    A candidate whose effect is that of one already chosen is passed over.
    """
    ranked = {r: rank(energy, r).topk(CANDIDATES_PER_REGION).indices.tolist() for r in QUOTAS}
    pool = sorted({c for channels in ranked.values() for c in channels})
    if progress:
        progress("effects", 0, None)
    effect = dict(zip(pool, effects(generator, sample, stds, pool, faces), strict=True))
    chosen: dict[int, Region] = {}

    def is_new(channel: int) -> bool:
        return channel not in chosen and all(
            abs(float(effect[channel] @ effect[other])) <= SAME_EFFECT_COSINE for other in chosen
        )

    # those of the smallest quota first: gaze, then others that are small and lie inside larger ones
    for region in sorted(QUOTAS, key=lambda r: QUOTAS[r]):
        missing = QUOTAS[region]
        for channel in ranked[region]:
            if missing and is_new(channel):
                chosen[channel] = region
                missing -= 1
    return in_order([describe(generator, stds, energy, c, r) for c, r in chosen.items()])


def in_order(offsets: Sequence[Offset]) -> tuple[Offset, ...]:
    """Return offsets by region, the strongest first."""
    regions = [str(region) for region in QUOTAS]
    return tuple(sorted(offsets, key=lambda o: (regions.index(o.region), -o.energy * o.locality)))


def candidates(energy: dict[str, Tensor]) -> dict[Region, list[int]]:
    """Return local channels to choose among, each in the region it suits best.

    `energy` [num_styles] by region is `region_energy`'s.
    """
    scores = {region: rank(energy, region) for region in QUOTAS}
    suited: dict[Region, list[int]] = {region: [] for region in QUOTAS}
    best_of = {region: scores[region].topk(CANDIDATES_PER_REGION).indices for region in QUOTAS}
    pool = {channel for indices in best_of.values() for channel in indices.tolist()}
    # a small region wins by its share of what such a region could hold
    strongest = {region: float(scores[region].max()) for region in QUOTAS}
    for channel in sorted(pool):
        best = max(QUOTAS, key=lambda r: float(scores[r][channel]) / strongest[r])
        if float(energy[best][channel] / energy[WHOLE_PICTURE][channel]) >= LEAST_LOCALITY:
            suited[best].append(channel)
    return suited


def describe(
    generator: Generator, stds: Tensor, energy: dict[str, Tensor], channel: int, region: str
) -> Offset:
    """Return the offset of one position `channel` in the style vector.

    `stds` and `energy`, by region, [num_styles] each.
    """
    layer = next(la for la in generator.layers if la.offset <= channel < la.offset + la.size)
    inside, whole = float(energy[region][channel]), float(energy[WHOLE_PICTURE][channel])
    return Offset(
        layer=layer.name,
        channel=channel - layer.offset,
        std=round(float(stds[channel]), STD_DIGITS),
        region=str(region),
        energy=round(inside**0.5, ENERGY_DIGITS),
        locality=round(inside / max(whole, 1e-12), LOCALITY_DIGITS),
    )
