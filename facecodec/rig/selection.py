"""Which channels become controls: strong and local by region, and no two alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.generator.sampling import Sample
from facecodec.progress import Progress
from facecodec.rig.regions import QUOTAS
from facecodec.rig.rig import Offset

CANDIDATES = 60  # per region
LOCAL = 0.2  # share of a candidate's change that falls in its region, at least
SIMILAR = 0.9  # cosine over which two channels have the same effect
EFFECT_SIZE = 128
EFFECT_STEP = 2.0  # standard deviations


def rank(energy: dict[str, Tensor], region: str) -> Tensor:
    """Return the score of every channel for a region: energy inside times locality.

    Locality is the share of the channel's whole change that falls inside the region.
    """
    return energy[region].sqrt() * energy[region] / energy["all"].clamp_min(1e-12)


def effects(
    generator: Generator, sample: Sample, stds: Tensor, channels: list[int], faces: int
) -> Tensor:
    """Return what each channel does to small pictures of several faces, unit rows [C, pixels]."""
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
    return matrix / matrix.norm(dim=1, keepdim=True).clamp_min(1e-6)


def choose_offsets(
    generator: Generator,
    sample: Sample,
    stds: Tensor,
    energy: dict[str, Tensor],
    faces: int = 2,
    progress: Progress | None = None,
) -> tuple[Offset, ...]:
    """Return the best channels of every region, as many as its quota.

    A candidate whose effect has a cosine over 0.9 with one already chosen is passed over.
    """
    ranked = {r: rank(energy, r).topk(CANDIDATES).indices.tolist() for r in QUOTAS}
    pool = sorted({c for channels in ranked.values() for c in channels})
    if progress:
        progress("effects", 0, None)
    effect = dict(zip(pool, effects(generator, sample, stds, pool, faces), strict=True))
    chosen: dict[int, str] = {}

    def is_new(channel: int) -> bool:
        return channel not in chosen and all(
            abs(float(effect[channel] @ effect[other])) <= SIMILAR for other in chosen
        )

    # gaze and eyes first: their regions are small and lie inside others
    for region in sorted(QUOTAS, key=lambda r: QUOTAS[r]):
        wanted = QUOTAS[region]
        for channel in ranked[region]:
            if wanted and is_new(channel):
                chosen[channel] = region
                wanted -= 1
    return in_order([describe(generator, stds, energy, c, r) for c, r in chosen.items()])


def in_order(offsets: Sequence[Offset]) -> tuple[Offset, ...]:
    """Return offsets by region, the strongest first."""
    regions = list(QUOTAS)
    return tuple(sorted(offsets, key=lambda o: (regions.index(o.region), -o.energy * o.locality)))


def candidates(energy: dict[str, Tensor]) -> dict[str, list[int]]:
    """Return local channels to choose among, each in the region it suits best."""
    scores = {region: rank(energy, region) for region in QUOTAS}
    found: dict[str, list[int]] = {region: [] for region in QUOTAS}
    pool = {c for region in QUOTAS for c in scores[region].topk(CANDIDATES).indices.tolist()}
    # a small region wins by its share of what such a region could hold
    strongest = {region: float(scores[region].max()) for region in QUOTAS}
    for channel in sorted(pool):
        best = max(QUOTAS, key=lambda r: float(scores[r][channel]) / strongest[r])
        if float(energy[best][channel] / energy["all"][channel]) >= LOCAL:
            found[best].append(channel)
    return found


def describe(
    generator: Generator, stds: Tensor, energy: dict[str, Tensor], channel: int, region: str
) -> Offset:
    """Return the offset of one position in the style vector."""
    layer = next(la for la in generator.layers if la.offset <= channel < la.offset + la.size)
    inside, whole = float(energy[region][channel]), float(energy["all"][channel])
    return Offset(
        layer.name, channel - layer.offset, round(float(stds[channel]), 6), region,
        round(inside**0.5, 4), round(inside / max(whole, 1e-12), 4),
    )  # fmt: skip
