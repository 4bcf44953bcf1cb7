"""Frames at another rate: what a stream says of two neighbours is mixed for a time between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

from facecodec.bitstream import FrameRecord, StreamHeader
from facecodec.bitstream.container.frames import mixed
from facecodec.decoding.span import AnyItem
from facecodec.errors import UsageError
from facecodec.seconds import Time, seconds

MOST_FPS = 240  # frames a second


def check_fps(fps: Time | None) -> Fraction | None:
    """Return frames a second as a fraction, None for None. Raises UsageError for none or many."""
    rate = seconds(fps)
    if rate is not None and not 0 < rate <= MOST_FPS:
        raise UsageError(f"{fps} frames a second: more than 0, at most {MOST_FPS}", argument="fps")
    return rate


def resampled(items: Iterator[AnyItem], header: StreamHeader, fps: Fraction) -> Iterator[AnyItem]:
    """Yield frames at the times n / fps that a stream lasts, numbered n; all else as it comes.

    Controls and placement lie on a straight line between the two frames around each time; flags,
    and a placement that one of them lacks, are those of the nearer. The last frame is held for its
    own time.
    """
    base = header.time_base
    before: FrameRecord | None = None
    number = 0
    for item in items:
        if not isinstance(item, FrameRecord):
            yield item
            continue
        if before is None:
            number = ceil(item.pts * base * fps)
            before = item
        while number < item.pts * base * fps:
            yield _at(before, item, number, Fraction(number) / (fps * base))
            number += 1
        before = item
    if before is None:
        return
    end = before.pts * base + (1 / header.frame_rate if header.frame_rate else base)
    while number < end * fps:
        yield replace(before, index=number)
        number += 1


def _at(before: FrameRecord, after: FrameRecord, number: int, pts: Fraction) -> FrameRecord:
    """Return what lies between two frames at a time in units of the stream's."""
    if after.pts == before.pts:
        return replace(after, index=number)
    share = float((pts - before.pts) / (after.pts - before.pts))
    record = mixed(before, after, share, floor(pts))
    return replace(record, index=number, recovered=before.recovered or after.recovered)
