"""A person met before: an identity latent out of a `.fci` file instead of an inversion."""

from __future__ import annotations

import numpy as np
import torch

from facecodec.avatar.render import Renderer
from facecodec.bitstream import IdentityFile
from facecodec.clip.scan import Scan
from facecodec.encoding.person import Examples, Person, identity_frame
from facecodec.errors import UsageError
from facecodec.face.landmarks import LandmarkFinder
from facecodec.face.signals import all_signals
from facecodec.generator.base import Generator
from facecodec.rig.rig import Rig

PICTURE = 256


def known_person(
    file: IdentityFile,
    name: str,
    found: Scan,
    generator: Generator,
    rig: Rig,
    id_frame: int | None,
    find: LandmarkFinder,
) -> Person:
    """Return the person of a `.fci` file, called `name` in errors.

    Their neutral signals are those of their own picture at controls 0, so that the pose of every
    frame counts from there. Raises UsageError when the file was made for another generator.
    """
    if file.generator_sha256 != bytes.fromhex(generator.sha256):
        raise UsageError(
            f"{name}: made for generator {file.generator_name} "
            f"({file.generator_sha256.hex()[:12]}), not {generator.name} ({generator.sha256[:12]})"
        )
    w_plus = file.w_plus(generator.w_mean.cpu().numpy())
    first = identity_frame(found, id_frame)
    find.reset()
    at_rest = np.zeros((1, len(rig.names)), np.float32)
    points = find(Renderer(generator, rig, w_plus, PICTURE, file.tuning)(at_rest)[0])
    neutral = found.signals[first] if points is None else all_signals(points)
    latent = torch.from_numpy(w_plus).to(generator.w_mean.device)
    examples = Examples(neutral[None], np.zeros((1, len(rig.names))))
    return Person(latent, first, neutral, examples, file.tuning)
