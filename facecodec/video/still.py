"""One picture as the bytes of a PNG or JPEG file, with a comment."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facecodec.types import Picture

JPEG_ENDINGS = (".jpg", ".jpeg")
JPEG_QUALITY = 95  # of Pillow, 1 to 100
HALVES = 2  # Pillow's code for chroma of half the columns and rows


def encode_jpeg(image: NDArray[np.uint8], quality: int = 85) -> bytes:
    """Return a picture, uint8 RGB [H, W, 3], as a small JPEG; quality: 1 worst, 95 best."""
    made = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.save(made, "jpeg", quality=quality, subsampling=HALVES)
    return made.getvalue()


def encode_png(image: Picture) -> bytes:
    """Return a picture, uint8 RGB [H, W, 3], as the bytes of a PNG file."""
    context = av.CodecContext.create("png", "w")
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = "rgb24", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)])


def encode_still(image: Picture, suffix: str, comment: str = "") -> bytes:
    """Return a picture, uint8 RGB [H, W, 3], as the bytes of a file, with a comment in it.

    suffix: of the file's name; .jpg or .jpeg is JPEG, all else PNG.
    """
    if suffix.lower() in JPEG_ENDINGS:
        made = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image)).save(
            made, "jpeg", quality=JPEG_QUALITY, subsampling=0, comment=comment
        )
        return made.getvalue()
    png = encode_png(image)
    return commented(png, comment) if comment else png


def commented(png: bytes, text: str) -> bytes:
    """Return the bytes of a PNG file with a comment: a tEXt chunk behind its header chunk."""
    end = 8 + 25  # the signature and IHDR
    body = b"tEXt" + b"Comment\0" + text.encode("latin-1", "replace")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:end] + chunk + png[end:]
