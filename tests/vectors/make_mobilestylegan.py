"""Make mobilestylegan.npz: the default generator as OpenVINO renders it in fp32.

    pip install openvino
    python tests/vectors/make_mobilestylegan.py random_face-2021.7.21.1-py3-none-any.whl

The networks are run as the package ships them, without a line of this project. Kept are, for three
seeded z: z, w, every 16th pixel of the picture (from pixel 5) and its means over 32x32 blocks.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import openvino

SEED, COUNT = 1234, 3
PARTS = ("MappingNetwork", "SynthesisNetwork")


def main(wheel: Path) -> None:
    """Run both networks of the wheel and keep what they return."""
    core = openvino.Core()
    fp32 = {"INFERENCE_PRECISION_HINT": "f32"}
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith("random_face/data/"):
                archive.extract(name, folder)
        data = Path(folder) / "random_face" / "data"
        mapping, synthesis = (
            core.compile_model(core.read_model(data / f"{part}.xml"), "CPU", fp32) for part in PARTS
        )
        z = np.random.Generator(np.random.PCG64(SEED)).standard_normal((COUNT, 512))
        z = z.astype(np.float32)
        w = np.concatenate([mapping([row[None]])[0].reshape(1, 512) for row in z])
        pictures = np.concatenate([synthesis([row[None]])[0] for row in w])
    np.savez_compressed(
        Path(__file__).with_name("mobilestylegan.npz"),
        z=z,
        w=w,
        pixels=pictures[:, :, 5::16, 5::16],
        blocks=pictures.reshape(COUNT, 3, 32, 32, 32, 32).mean((3, 5)),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
