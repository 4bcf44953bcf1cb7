"""A generator that is loaded before a stream names its own: that takes a second or two."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import StreamHeader
from facecodec.errors import ModelError
from facecodec.models import Device, FaceModel, load_models


def spare_model(device: Device, size: int | None) -> FaceModel | None:
    """Return the default generator and its rig, ready to draw; None where it is not installed.

    size: a side of the pictures in pixels, see `Avatar.render`. Raises UsageError for another one,
    and for a device that is not there.
    """
    with suppress(ModelError):
        model = load_models(device=device)
        nobody = Avatar(model, np.tile(model.mean, (model.generator.num_ws, 1)))
        nobody.render(np.zeros((1, nobody.num_controls), np.float32), nobody.side(size))
        return model
    return None


def suits(model: FaceModel, header: StreamHeader) -> bool:
    """Return whether a generator and rig are those of a stream."""
    hashes = bytes.fromhex(model.generator.sha256), bytes.fromhex(model.rig.sha256)
    return hashes == (header.generator_sha256, header.rig_sha256)
