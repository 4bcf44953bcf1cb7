"""The generator as browsers read it: one file of numbers, one of JSON that says what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.errors import UsageError
from facecodec.generator.base import Generator
from facecodec.generator.mobilestylegan import MobileStyleGAN

_ALIGNMENT = 8  # bytes
_LARGE = 4096  # numbers from which on a tensor is stored in half precision


def pack_network(generator: Generator) -> tuple[dict[str, Any], bytes]:
    """Return what `generator.json` says of a generator's tensors, and the bytes of its file.

    Large tensors become IEEE 754 binary16, the others and the mean of W stay binary32. The network
    that makes W of noise is left out: a stream has W+. Raises UsageError for a generator that the
    player cannot draw.
    """
    if not isinstance(generator, MobileStyleGAN):
        raise UsageError(
            f"{generator.name}: browsers draw MobileStyleGAN, the default generator, only"
        )
    rows: list[tuple[str, str, list[int], int]] = []
    data = bytearray()
    for name, tensor in generator.drawing_tensors().items():
        values: NDArray[np.float32] = tensor.cpu().numpy()
        small = values.size < _LARGE
        rows.append((name, "f32" if small else "f16", list(values.shape), len(data)))
        data += values.astype("<f4" if small else "<f2").tobytes()
        data += bytes(-len(data) % _ALIGNMENT)
    facts = {
        "name": generator.name,
        "sha256": generator.sha256,
        "architecture": "mobilestylegan",
        "resolution": generator.resolution,
        "num_ws": generator.num_ws,
        "w_dim": generator.w_dim,
        "bytes": len(data),
        "tensors": rows,
    }
    return facts, bytes(data)
