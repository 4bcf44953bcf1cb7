"""What a rig is made from: a generator's faces, and what each of its channels changes in them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.generator.sampling import FindLandmarks, Sample, draw_faces
from facecodec.progress import Progress
from facecodec.rig.channels import choose_offsets
from facecodec.rig.expression_axes import find_expression_axes
from facecodec.rig.pose_axes import find_pose_axes
from facecodec.rig.rig import Rig
from facecodec.rig.sensitivity import channel_stds, region_energy


@dataclass(frozen=True)
class Measured:
    """A generator's faces, and its channels' standard deviation and energy by region.

    `stds` [num_styles]; `energy` is `region_energy`'s, [num_styles] for each region.
    """

    sample: Sample
    stds: Tensor
    energy: dict[str, Tensor]


def measure(
    generator: Generator,
    find: FindLandmarks,
    samples: int = 960,
    faces: int = 6,
    probes: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Measured:
    """Draw `samples` faces, and measure the sensitivity on `faces` of them with `probes` probes.

    Raises NoFaceError for a generator that draws too few faces.
    """
    sample = draw_faces(generator, find, samples, seed, progress=progress)
    stds = channel_stds(generator, seed)
    energy = region_energy(generator, sample, stds, faces, probes, seed, progress)
    return Measured(sample, stds, energy)


def rig_by_sensitivity(
    generator: Generator,
    measured: Measured,
    samples: int,
    seed: int,
    progress: Progress | None = None,
) -> Rig:
    """Return the rig that index sensitivity alone chooses.

    `samples` and `seed` are those of the measurement; the same ones give the same rig.
    """
    pose = find_pose_axes(measured.sample)
    offsets = choose_offsets(
        generator, measured.sample, measured.stds, measured.energy, progress=progress
    )
    expressions = find_expression_axes(measured.sample)
    return Rig(generator.name, generator.sha256, seed, samples, pose, offsets, expressions)
