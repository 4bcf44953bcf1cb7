"""Open a stream ready to be rendered frame by frame: its header, generator, rig and person."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecodec.avatar.render import Renderer
from facecodec.bitstream import StreamReader
from facecodec.decoding.decode import load_stream_models, open_stream
from facecodec.generator.base import Generator
from facecodec.rig.rig import Rig


@dataclass(frozen=True)
class Player:
    """A stream and what renders it; `w_plus` is the identity latent [num_ws, 512]."""

    stream: StreamReader
    generator: Generator
    rig: Rig
    w_plus: NDArray[np.float32]
    tuning: bytes | None
    renderer: Renderer


def open_player(
    path: str | Path,
    rig: str | Path | None = None,
    device: str = "auto",
    size: int | None = None,
    identity: str | Path | None = None,
    fit: bool = False,
) -> Player:
    """Open a `.fcv` for rendering squares of `size` pixels; raises what `decode` raises.

    fit: a generator of a lower resolution renders at its own.
    """
    from facecodec.decoding.decode import load_identity_file

    stream = open_stream(path)
    generator, the_rig = load_stream_models(stream, rig, device)
    if fit and size:
        size = min(size, generator.resolution)
    file = load_identity_file(identity) if identity else None
    w_plus = stream.identity(generator.w_mean.cpu().numpy(), file)
    tuning = stream.person_tuning(file)
    renderer = Renderer(generator, the_rig, w_plus, size, tuning)
    return Player(stream, generator, the_rig, w_plus, tuning, renderer)
