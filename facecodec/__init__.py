"""facecodec: talking-head video as one identity latent and 35 floats a frame.

    import facecodec

    facecodec.encode("in.mp4", "out.fcv")
    facecodec.decode("out.fcv", "back.mp4")
    facecodec.puppet("who.png", "motion.mp4", "puppet.mp4")
    for frame in facecodec.open_stream("out.fcv"):
        print(frame.pts, frame.controls)

The functions are imported on first use: `import facecodec` is instant.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from facecodec.version import __version__

# Threads that wait for others sleep instead of spinning, which halves the processor time of a
# render beside a video encoder. Read when OpenMP is loaded, which torch does.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# MKL's sums otherwise depend on where memory happens to lie, and the same input must give the
# same stream.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

if TYPE_CHECKING:
    from facecodec.decoding.decode import decode, open_stream
    from facecodec.encoding.encode import encode
    from facecodec.puppetry.puppet import puppet

__all__ = ["__version__", "decode", "encode", "open_stream", "puppet"]

_HOMES = {
    "encode": "encoding.encode",
    "decode": "decoding.decode",
    "open_stream": "decoding.decode",
    "puppet": "puppetry.puppet",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"facecodec.{_HOMES[name]}"), name)
