"""How a context is to be coded: its size, how many pictures a second, and at what rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt

from facecodec.bitstream.limits import MAX_CONTEXT_PIXELS
from facecodec.errors import UsageError

OFF, STILL = "off", "still"
LEAST_RATE, MOST_RATE = 1_000, 200_000  # bits a second that a context may be given
USUAL_RATE = Fraction(25)  # frames a second, of a source that does not say
# What a rate buys (docs/whole_frame.md): more pictures a second are all overhead, fewer show motion
# too late; smaller ones lack detail that larger ones have at the same rate.
PIXELS_PER_BIT = 20  # of a picture, for each bit a second
BITS_PER_PICTURE = 1_300  # a second, for each picture a second
LEAST_PICTURES = 3  # a second: a face is retouched by them, and a mouth that is late is a ghost
STILL_BYTES = 3_000  # of a plate that stands alone
STILL_PIXELS = 80_000
LARGEST_SHARE = 0.5  # of the source's side
SMALLEST_SIDE = 64  # pixels: what SVT-AV1 takes

Wanted = str | int | None


@dataclass(frozen=True)
class ContextPlan:
    """How to code a context.

    size: width and height of its pictures. step: frames of the source from one picture to the
    next; 0 for a plate alone. rate: pictures a second, of the source where there is no step.
    bytes: what it may take in all. face: whether pictures show the face, by which an untuned head
    is retouched; else its place is painted over, which costs nothing.
    """

    size: tuple[int, int]
    step: int
    rate: Fraction
    bytes: int
    face: bool = False

    @property
    def still(self) -> bool:
        """Return whether there is a plate alone."""
        return self.step == 0


def check_context(wanted: Wanted) -> int | None:
    """Return what is wanted as bits a second: None for no context, 0 for a still one.

    wanted: 'off' or None, 'still', or bits a second. Raises UsageError for anything else.
    """
    if wanted in (None, OFF):
        return None
    if wanted == STILL:
        return 0
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        if LEAST_RATE <= wanted <= MOST_RATE:
            return wanted
        raise UsageError(
            f"a context of {wanted} bits a second: {LEAST_RATE} to {MOST_RATE}", argument="context"
        )
    raise UsageError(
        f"no context {wanted!r}; there are: off, still, or a number of bits a second",
        argument="context",
    )


def plan_context(
    bits: int,
    source: tuple[int, int],
    frame_rate: Fraction | None,
    duration: Fraction,
) -> ContextPlan:
    """Return the plan for a context of so many bits a second, 0 for a still one.

    source: width and height of the source's frames. duration: seconds. The face is in
    its pictures, where there is more than one.
    """
    frames = frame_rate or USUAL_RATE
    if bits == 0:
        return ContextPlan(picture_size(source, STILL_PIXELS), 0, frames, STILL_BYTES)
    step = max(1, min(ceil(frames * BITS_PER_PICTURE / bits), ceil(frames / LEAST_PICTURES)))
    size = picture_size(source, min(PIXELS_PER_BIT * bits, MAX_CONTEXT_PIXELS))
    return ContextPlan(size, step, frames / step, int(bits * duration / 8), face=True)


def picture_size(source: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return the size of pictures of about so many pixels, with even sides."""
    share = min(LARGEST_SHARE, sqrt(pixels / (source[0] * source[1])))
    width, height = (max(SMALLEST_SIDE, 2 * round(side * share / 2)) for side in source)
    return width, height
