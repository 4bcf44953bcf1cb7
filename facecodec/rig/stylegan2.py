"""The published channels of StyleGAN2-FFHQ, configuration f: where a rig for it starts.

They are numbered over the 26 style layers with toRGB counted, as in StyleSpace (arXiv 2011.12799),
and mean what they say for weights trained on FFHQ alone. `discover` finds channels for any other.
"""

from __future__ import annotations

from facecodec.errors import ModelError
from facecodec.generator.base import Generator
from facecodec.generator.sampling import FindLandmarks, draw_faces
from facecodec.progress import Progress
from facecodec.rig.pose import find_pose_axes
from facecodec.rig.rig import Offset, Rig
from facecodec.rig.selection import describe
from facecodec.rig.sensitivity import channel_stds, region_energy

# region -> layer -> channels; 32 in all
PUBLISHED: dict[str, dict[int, tuple[int, ...]]] = {
    "mouth": {
        6: (113, 202, 214, 259, 378, 501),
        8: (17, 387),
        11: (6, 41, 78, 86, 313, 361, 365),
        14: (12,),
        15: (45,),
    },
    "jaw": {5: (50, 505), 6: (131,), 8: (390,)},
    "eyes": {9: (63,), 11: (257,), 12: (82, 414), 14: (239,), 17: (28,)},
    "brows": {8: (6, 28), 9: (30,), 11: (320,)},
    "gaze": {9: (409,)},
}


def published_positions(generator: Generator) -> list[tuple[str, int]]:
    """Return region and position in the style vector of the 32 published channels, in order.

    Raises ModelError for a generator that lacks one of them.
    """
    positions = []
    for region, layers in PUBLISHED.items():
        for layer, channels in layers.items():
            for channel in channels:
                try:
                    positions.append((region, generator.channel(str(layer), channel)))
                except (KeyError, IndexError) as error:
                    raise ModelError(
                        f"{generator.name} has no style channel {layer}/{channel}: the published "
                        "channels are those of StyleGAN2-FFHQ, configuration f; run "
                        f"`facecodec rig discover --model {generator.name}`"
                    ) from error
    return positions


def published_rig(
    generator: Generator,
    find: FindLandmarks,
    samples: int = 960,
    faces: int = 6,
    probes: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Rig:
    """Return a rig of the published channels, everything else measured on the weights at hand.

    Pose axes, each channel's standard deviation and its effect on the face come from seeded faces
    as in `discover`, which takes the same arguments. Raises ModelError for a generator without
    these channels, NoFaceError for one that draws no faces.
    """
    positions = published_positions(generator)
    sample = draw_faces(generator, find, samples, seed, progress=progress)
    pose = find_pose_axes(sample)
    stds = channel_stds(generator, seed)
    energy = region_energy(generator, sample, stds, faces, probes, seed, progress)
    offsets: tuple[Offset, ...] = tuple(
        describe(generator, stds, energy, channel, region) for region, channel in positions
    )
    return Rig(generator.name, generator.sha256, seed, samples, pose, offsets)
