"""Walk everything a stream holds, and list what is wrong with it."""

from __future__ import annotations

import numpy as np

from facecodec.bitstream.coding.tuning import check_tuning
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import Damage
from facecodec.bitstream.container.frames import FrameRecord
from facecodec.bitstream.container.identity_file import IdentityFile
from facecodec.bitstream.container.reader import StreamReader
from facecodec.errors import StreamError


def verify(stream: StreamReader) -> tuple[int, list[Damage]]:
    """Return the number of frames decoded and the damage, sorted by place; none if it is whole.

    Decodes every frame and audio packet, compares the index with the segments, and decodes the
    identity and the tuning where they are in the stream: whatever a decoder would refuse or
    report, but for what takes the generator. Reads the stream once, so that a pipe will do.
    Raises StreamError for a stream that a reader must refuse.
    """
    frames = sum(
        1
        for item in stream.items(context=True)
        if isinstance(item, FrameRecord) and not item.recovered
    )
    _ = stream.context_plate  # which reports what is wrong with it
    damage = [*stream.damage, *_identity(stream), *_tuning(stream)]
    return frames, sorted(damage, key=lambda item: item.offset)


def verify_identity(person: IdentityFile) -> list[Damage]:
    """Return what is wrong with the tuning of a `.fci` file; reading it has checked the rest."""
    try:
        if person.tuning is not None:
            check_tuning(person.tuning)
    except StreamError as error:
        return [Damage(0, 0, str(error))]
    return []


def _identity(stream: StreamReader) -> list[Damage]:
    if stream.identity_payload is None:
        return []
    try:
        stream.identity(np.zeros(stream.header.w_dim, np.float32))
    except StreamError as error:
        return [Damage(stream.offset_of(chunks.IDENTITY), 0, str(error))]
    return []


def _tuning(stream: StreamReader) -> list[Damage]:
    if stream.tuning is None:
        return []
    try:
        check_tuning(stream.tuning, stream.header.num_controls)
    except StreamError as error:
        return [Damage(stream.offset_of(chunks.TUNING), 0, str(error))]
    return []
