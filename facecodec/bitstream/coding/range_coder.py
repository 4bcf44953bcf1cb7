"""An adaptive binary range coder in 32-bit integers (SPEC.md section 6).

The arithmetic is Martin's range coding (G. N. N. Martin, 1979) in the byte-wise form of LZMA, with
two estimates of each probability, a fast and a slow one, whose mean is used. Encoder and decoder
share one method, `bit`, so that a model written once serves both directions: the encoder codes the
bit it is given, the decoder ignores the argument, and both return the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from facecodec.errors import StreamError

MIN_RANGE = 1 << 24  # below it, a byte is moved out or in
MAX_RANGE = 0xFFFFFFFF  # range and code have 32 bits
PROBABILITY_ONE = 1 << 16  # probabilities are in units of 2^-16
PROBABILITY_HALF = PROBABILITY_ONE // 2
FAST_SHIFT = 4  # the fast estimate moves 1/16 of the way to the last bit
SLOW_SHIFT = 7  # the slow one 1/128


class Coder(Protocol):
    """What a model needs of either direction."""

    def bit(self, context: int, bit: int) -> int:
        """Code one bit with the adaptive probability of a context."""
        ...

    def pair(self, first: int, second: int, bit: int) -> int:
        """Code one bit with the mean of the probabilities of two contexts; both adapt."""
        ...

    def even(self, bit: int) -> int:
        """Code one bit of probability one half."""
        ...


def _adapt(fast: list[int], slow: list[int], context: int, bit: int) -> None:
    """Move both estimates of a context towards the bit."""
    if bit:
        fast[context] += (PROBABILITY_ONE - fast[context]) >> FAST_SHIFT
        slow[context] += (PROBABILITY_ONE - slow[context]) >> SLOW_SHIFT
    else:
        fast[context] -= fast[context] >> FAST_SHIFT
        slow[context] -= slow[context] >> SLOW_SHIFT


class RangeEncoder:
    """Writes bits; `finish` returns the shortest bytes that decode to them."""

    def __init__(self, probabilities: Sequence[int]) -> None:
        self.fast = list(probabilities)
        self.slow = list(probabilities)
        self.low = 0
        self.range = MAX_RANGE
        self.out = bytearray()

    def bit(self, context: int, bit: int) -> int:
        """Encode one bit; the probability that it is 1 then moves towards it."""
        fast = self.fast[context]
        slow = self.slow[context]
        bound = (self.range >> 16) * ((fast + slow) >> 1)
        if bit:
            self.range = bound
            self.fast[context] = fast + ((PROBABILITY_ONE - fast) >> FAST_SHIFT)
            self.slow[context] = slow + ((PROBABILITY_ONE - slow) >> SLOW_SHIFT)
        else:
            self.low += bound
            self.range -= bound
            self.fast[context] = fast - (fast >> FAST_SHIFT)
            self.slow[context] = slow - (slow >> SLOW_SHIFT)
        if self.range < MIN_RANGE:
            self._shift()
        return bit

    def pair(self, first: int, second: int, bit: int) -> int:
        """Encode one bit with the mean of the probabilities of two contexts; both then adapt."""
        fast, slow = self.fast, self.slow
        mean = (fast[first] + slow[first] + fast[second] + slow[second]) >> 2
        bound = (self.range >> 16) * mean
        if bit:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        _adapt(fast, slow, first, bit)
        _adapt(fast, slow, second, bit)
        if self.range < MIN_RANGE:
            self._shift()
        return bit

    def even(self, bit: int) -> int:
        """Encode one bit of probability one half."""
        self.range >>= 1
        if not bit:
            self.low += self.range
        if self.range < MIN_RANGE:
            self._shift()
        return bit

    def finish(self) -> bytes:
        """Return the coded bytes; zeros at the end are left out, since a decoder supplies them."""
        # The value in [low, low + range) with most zero bits at its end.
        for zeros in range(32, -1, -1):
            value = (self.low + (1 << zeros) - 1) >> zeros << zeros
            if value < self.low + self.range:
                break
        self.low = value
        for _ in range(4):
            self._byte()
        return bytes(self.out).rstrip(b"\0")

    def _shift(self) -> None:
        while self.range < MIN_RANGE:
            self.range <<= 8
            self._byte()

    def _byte(self) -> None:
        if self.low > MAX_RANGE:  # carry into the bytes already out
            self.low &= MAX_RANGE
            place = len(self.out) - 1
            while self.out[place] == 255:
                self.out[place] = 0
                place -= 1
            self.out[place] += 1
        self.out.append(self.low >> 24)
        self.low = (self.low << 8) & MAX_RANGE


class RangeDecoder:
    """Reads the bits back from bytes; past their end it reads zeros.

    Raises StreamError for bytes that no encoder makes.
    """

    def __init__(self, data: bytes, probabilities: Sequence[int]) -> None:
        self.fast = list(probabilities)
        self.slow = list(probabilities)
        self.data = data
        self.code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")
        self.position = 4
        self.range = MAX_RANGE
        self._refuse_past_range()

    def bit(self, context: int, bit: int = 0) -> int:
        """Decode one bit; the argument is there for the encoder's sake."""
        fast = self.fast[context]
        slow = self.slow[context]
        bound = (self.range >> 16) * ((fast + slow) >> 1)
        if self.code < bound:
            self.range = bound
            self.fast[context] = fast + ((PROBABILITY_ONE - fast) >> FAST_SHIFT)
            self.slow[context] = slow + ((PROBABILITY_ONE - slow) >> SLOW_SHIFT)
            bit = 1
        else:
            self.code -= bound
            self.range -= bound
            self.fast[context] = fast - (fast >> FAST_SHIFT)
            self.slow[context] = slow - (slow >> SLOW_SHIFT)
            bit = 0
        if self.range < MIN_RANGE:
            self._shift()
        return bit

    def pair(self, first: int, second: int, bit: int = 0) -> int:
        """Decode one bit with the mean of the probabilities of two contexts; both then adapt."""
        fast, slow = self.fast, self.slow
        mean = (fast[first] + slow[first] + fast[second] + slow[second]) >> 2
        bound = (self.range >> 16) * mean
        bit = int(self.code < bound)
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        _adapt(fast, slow, first, bit)
        _adapt(fast, slow, second, bit)
        if self.range < MIN_RANGE:
            self._shift()
        return bit

    def even(self, bit: int = 0) -> int:
        """Decode one bit of probability one half."""
        self.range >>= 1
        bit = int(self.code < self.range)
        if not bit:
            self.code -= self.range
            self._refuse_past_range()
        if self.range < MIN_RANGE:
            self._shift()
        return bit

    def _refuse_past_range(self) -> None:
        """Refuse a code that no encoder makes: of an odd range `even` leaves one value out."""
        if self.code >= self.range:
            raise StreamError("a coded body that no encoder makes")

    def _shift(self) -> None:
        while self.range < MIN_RANGE:
            self.range <<= 8
            place = self.position
            self.code = self.code << 8 | (self.data[place] if place < len(self.data) else 0)
            self.position = place + 1
