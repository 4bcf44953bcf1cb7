"""Find a rig for a generator that has W and StyleSpace: pose axes, then channels."""

from __future__ import annotations

from facecodec.generator.base import Generator
from facecodec.rig.pose import find_pose_axes
from facecodec.rig.rig import Rig
from facecodec.rig.sampling import FindLandmarks, draw_faces
from facecodec.progress import Progress
from facecodec.rig.selection import choose_offsets
from facecodec.rig.sensitivity import channel_stds, region_energy


def discover(
    generator: Generator,
    find: FindLandmarks,
    samples: int = 960,
    faces: int = 6,
    probes: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Rig:
    """Return the rig of a generator; the same seed gives the same rig.

    `samples` faces carry the pose regression, `faces` of them the sensitivity with `probes`
    random probes each.
    """
    sample = draw_faces(generator, find, samples, seed, progress=progress)
    pose = find_pose_axes(sample)
    stds = channel_stds(generator, seed)
    energy = region_energy(generator, sample, stds, faces, probes, seed, progress)
    offsets = choose_offsets(generator, sample, stds, energy, progress=progress)
    return Rig(generator.name, generator.sha256, seed, samples, pose, offsets)
