"""Small streams made without fitting anything: a random person and controls along sines."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from facecodec.bitstream import StreamHeader, StreamWriter, control_steps
from facecodec.face.alignment import Alignment
from facecodec.generator.base import Generator
from facecodec.rig.rig import Rig


def make_stream(
    path: Path,
    generator: Generator,
    rig: Rig,
    frames: int = 6,
    places: Sequence[Alignment] | None = None,
    size: tuple[int, int] = (640, 480),
    seed: int = 5,
) -> Path:
    """Write a `.fcv` of a random person who turns and speaks.

    places: alignments of a clip of `size` (width, height), so that the stream can stand for it.
    seed: of the person.
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        w = generator.mapping(torch.randn(1, 512))
        w = generator.w_mean + 0.6 * (w.reshape(1, -1, 512)[:, :1] - generator.w_mean)
        w_plus = w.expand(1, generator.num_ws, 512)[0].numpy().astype(np.float32)
    time = np.arange(frames)[:, None] / 8
    waves = np.sin(time * (1 + np.arange(35) % 5) + np.arange(35))
    controls = (0.8 * waves).astype(np.float32)
    header = StreamHeader(
        generator_name=generator.name,
        generator_sha256=bytes.fromhex(generator.sha256),
        rig_sha256=bytes.fromhex(rig.sha256),
        num_ws=generator.num_ws,
        w_dim=generator.w_dim,
        control_steps=control_steps(rig.steps, 50),
        width=size[0],
        height=size[1],
        time_base=Fraction(1, 25),
        frame_rate=Fraction(25),
        resolution=generator.resolution,
        creator="facecodec tests",
    )
    with path.open("wb") as file, StreamWriter(file, header) as writer:
        writer.write_identity(w_plus, generator.w_mean.numpy())
        for i in range(frames):
            place = np.array([320.0, 240, 400, 0]) if places is None else places[i].as_array()
            writer.write_frame(i, controls[i], place, 0)
    return path
