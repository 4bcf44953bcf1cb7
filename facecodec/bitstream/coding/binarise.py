"""How numbers become binary decisions: the codes of SPEC.md section 6.3, for both directions.

Every function takes the coder first and returns what was coded. Given an encoder it codes the
value it is handed; given a decoder it ignores that value.
"""

from __future__ import annotations

from facecodec.bitstream.coding.range_coder import Coder
from facecodec.errors import StreamError

UNARY = 14  # magnitudes beyond this many steps go on as Exp-Golomb
SIGNED_SIZE = 2 + UNARY  # contexts of a signed integer
MAX_GOLOMB_BITS = 48  # of a number in Exp-Golomb: garbage must not make it grow without end


def code_magnitude(coder: Coder, context: int, magnitude: int, unary: int = UNARY) -> int:
    """Code an integer >= 1: unary with one context a step, then an Exp-Golomb tail.

    Uses contexts [context, context + unary).
    """
    for step in range(unary):
        if not coder.bit(context + step, int(magnitude > step + 1)):
            return step + 1
    return unary + 1 + code_exp_golomb(coder, magnitude - unary - 1)


def code_magnitude_pair(coder: Coder, first: int, second: int, magnitude: int) -> int:
    """Code an integer >= 1 as `code_magnitude` does, with two contexts a step."""
    for step in range(UNARY):
        if not coder.pair(first + step, second + step, int(magnitude > step + 1)):
            return step + 1
    return UNARY + 1 + code_exp_golomb(coder, magnitude - UNARY - 1)


def code_exp_golomb(coder: Coder, value: int) -> int:
    """Code an integer >= 0 with even bits: Exp-Golomb of order 0, at most 48 bits of value.

    Raises StreamError for a coded number of more bits.
    """
    value += 1
    width = max(value.bit_length(), 1)
    count = 1
    while not coder.even(int(width == count)):
        count += 1
        if count > MAX_GOLOMB_BITS:
            raise StreamError(f"a coded number of more than {MAX_GOLOMB_BITS} bits")
    result = 1
    for place in range(count - 2, -1, -1):
        result = result << 1 | coder.even(value >> place & 1)
    return result - 1


def code_signed(coder: Coder, context: int, value: int) -> int:
    """Code any integer: zero flag, sign, magnitude. Uses SIGNED_SIZE contexts."""
    if not coder.bit(context, int(value != 0)):
        return 0
    negative = coder.bit(context + 1, int(value < 0))
    magnitude = code_magnitude(coder, context + 2, abs(value))
    return -magnitude if negative else magnitude
