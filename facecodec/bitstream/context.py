"""The context as a stream carries it: coded pictures of everything but the face.

The one type for each in the project: `facecodec.context` makes and shows these.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ContextPlate:
    """The picture that the context begins with, before and wherever no other has come.

    codec: of this picture and of those that follow, such as 'av1'. width, height: of all of them,
    in pixels. data: the coded picture, which decodes alone.
    """

    codec: str
    width: int
    height: int
    data: bytes


@dataclass(frozen=True)
class ContextPictures:
    """Pictures that decode after the plate, without any others.

    pts: when each is shown, in units of the stream's time base, rising; the last one stays.
    packets: as many, each the bytes of one picture.
    """

    pts: tuple[int, ...]
    packets: tuple[bytes, ...]
