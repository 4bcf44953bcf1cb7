"""Find a rig for a generator that has W and StyleSpace: pose axes, channels, expressions."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from facecodec.generator.base import Generator
from facecodec.generator.sampling import FindLandmarks, Sample, draw_faces
from facecodec.progress import Progress
from facecodec.rig.expression import find_expression_axes
from facecodec.rig.pose import find_pose_axes
from facecodec.rig.rig import Rig
from facecodec.rig.selection import choose_offsets
from facecodec.rig.sensitivity import channel_stds, region_energy


@dataclass(frozen=True)
class Measured:
    """A generator's faces, and the spread and regional energy of its channels [num_styles]."""

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
    """Draw `samples` faces, and measure the sensitivity on `faces` of them with `probes` probes."""
    sample = draw_faces(generator, find, samples, seed, progress=progress)
    stds = channel_stds(generator, seed)
    energy = region_energy(generator, sample, stds, faces, probes, seed, progress)
    return Measured(sample, stds, energy)


def discover(
    generator: Generator,
    find: FindLandmarks,
    samples: int = 960,
    faces: int = 6,
    probes: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Rig:
    """Return the rig of a generator by index sensitivity; the same seed gives the same rig."""
    measured = measure(generator, find, samples, faces, probes, seed, progress)
    return rig_of(generator, measured, samples, seed, progress)


def rig_of(
    generator: Generator,
    measured: Measured,
    samples: int,
    seed: int,
    progress: Progress | None = None,
) -> Rig:
    """Return the rig that index sensitivity alone would choose."""
    pose = find_pose_axes(measured.sample)
    offsets = choose_offsets(
        generator,
        measured.sample,
        measured.stds,
        measured.energy,
        progress=progress,
    )
    expressions = find_expression_axes(measured.sample)
    return Rig(generator.name, generator.sha256, seed, samples, pose, offsets, expressions)
