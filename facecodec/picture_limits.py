"""How large a picture may be before it is refused: untrusted files choose their own size."""

from __future__ import annotations

from facecodec.errors import FacecodecError

# dlib's detector writes outside its memory on pictures of some 60000 x 80 pixels and wider.
MAX_PICTURE_SIDE = 16384  # pixels
MAX_ASPECT = 16  # the longer side over the shorter one
# An encode takes some 40 bytes of memory for each pixel: 2.7 GB at this limit.
MAX_PIXELS = 1 << 26  # 8192 x 8192


def check_picture_size(width: int, height: int, name: object = "picture") -> None:
    """Raise FacecodecError, which begins with `name`, unless a picture may be worked on."""
    size = f"{name}: {width}x{height} pixels"
    if width < 1 or height < 1:
        raise FacecodecError(f"{size}, an empty picture")
    if max(width, height) > MAX_PICTURE_SIDE:
        raise FacecodecError(f"{size}, and no side may be longer than {MAX_PICTURE_SIDE}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise FacecodecError(f"{size}, and no side may be {MAX_ASPECT} times longer than the other")
    if width * height > MAX_PIXELS:
        raise FacecodecError(
            f"{size}, and no picture may hold more than {MAX_PIXELS}; scale it down first"
        )
