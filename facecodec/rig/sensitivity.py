"""Index sensitivity: how much every StyleSpace channel changes every region of the face."""

from __future__ import annotations

import torch
from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.generator.sampling import PICTURE_SIZE, Sample, draw_latents
from facecodec.progress import Progress
from facecodec.rig.masks import region_masks


def channel_stds(generator: Generator, seed: int, count: int = 2000) -> Tensor:
    """Return the standard deviation of every channel over `count` seeded faces, [num_styles]."""
    w = draw_latents(generator, count, seed, truncation=1.0)
    with torch.no_grad():
        return generator.styles(generator.broadcast(w)).std(0)


def region_energy(
    generator: Generator,
    sample: Sample,
    stds: Tensor,
    faces: int,
    probes: int,
    seed: int,
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Return, for every region of `region_masks`, the energy of each channel, [num_styles].

    The energy is the squared picture change (of a range of 2, summed over the pixels in the mask)
    that one standard deviation of the channel, `stds` [num_styles], makes: the mean over `faces`
    of the sample. Random signs v over a picture let one backward pass serve all channels at once:
    E[(d(v * mask * picture) / d style)^2] is the squared column norm of the Jacobian inside the
    mask (Hutchinson's estimator), averaged over `probes` draws of v.
    """
    signs = torch.Generator().manual_seed(seed)
    energy: dict[str, Tensor] = {}
    for face in range(faces):
        styles = generator.styles(generator.broadcast(sample.w[face : face + 1])).detach()
        styles.requires_grad_(True)
        picture = generator.preview(styles, PICTURE_SIZE)
        masks = region_masks(sample.landmarks[face], PICTURE_SIZE)
        masks = {region: mask.to(picture) for region, mask in masks.items()}
        for probe in range(probes):
            noise = torch.randint(0, 2, picture.shape, generator=signs).to(picture) * 2.0 - 1.0
            for number, (region, mask) in enumerate(masks.items()):
                last = probe == probes - 1 and number == len(masks) - 1
                (gradient,) = torch.autograd.grad(
                    (picture * noise * mask).sum(), styles, retain_graph=not last
                )
                squared = (gradient[0] * stds).square() / (faces * probes)
                energy[region] = energy.get(region, torch.zeros_like(squared)) + squared
        if progress:
            progress("sensitivity", face + 1, faces)
    return energy
