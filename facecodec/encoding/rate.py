"""A target rate: the quality at which a clip's motion costs no more."""

from __future__ import annotations

import io
from collections.abc import Callable

from facecodec.bitstream import StreamHeader
from facecodec.clip.clip import Clip
from facecodec.encoding.motion import Motion
from facecodec.encoding.write import write_clip
from facecodec.errors import UsageError
from facecodec.video.opus import Sound

MAX_QUALITY = 100
SHA256_BYTES = 32
BIT_RATES = (100, 1_000_000)  # bits a second that may be asked for


def check_target(bitrate: int | None, precision: str) -> None:
    """Raise UsageError for a target rate that no stream has, or of controls that are exact."""
    if bitrate is None:
        return
    low, high = BIT_RATES
    if not low <= bitrate <= high:
        raise UsageError(
            f"a rate of {bitrate} bits a second; allowed are {low} to {high}", argument="bitrate"
        )
    if precision != "quantised":
        raise UsageError(
            f"controls stored as {precision} have no rate to choose", argument="bitrate"
        )


def quality_for(
    bitrate: int, stored_at: Callable[[int], tuple[StreamHeader, Motion]], clip: Clip
) -> int:
    """Return the highest quality, 0 to 100, at which motion takes at most `bitrate` bits a second.

    stored_at: the header of a stream of some quality, and the motion that it stores. Counted is all
    but the person and the audio, by coding the whole clip some seven times; 0 where even that takes
    more. The same clip gives the same quality.
    """
    allowed = bitrate * float(clip.duration) / 8
    low, high = 0, MAX_QUALITY
    while low < high:
        middle = (low + high + 1) // 2
        header, motion = stored_at(middle)
        if motion_bytes(header, clip, motion) <= allowed:
            low = middle
        else:
            high = middle - 1
    return low


def motion_bytes(header: StreamHeader, clip: Clip, motion: Motion) -> int:
    """Return the bytes of a clip's frames, and of the little that holds a stream together."""
    silent = Sound(None, iter(()))
    written = write_clip(io.BytesIO(), header, clip, bytes(SHA256_BYTES), motion, silent)
    return written.bytes_written - written.person_bytes
