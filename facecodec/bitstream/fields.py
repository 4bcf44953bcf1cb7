"""The little-endian fields every payload is made of: fixed integers, varints, strings."""

from __future__ import annotations

from fractions import Fraction

from facecodec.bitstream.limits import MAX_STRING, MAX_VARINT
from facecodec.bitstream.vocabulary import BEGINNINGS, FIRST_BEGINNING, FIRST_WHOLE, WHOLE
from facecodec.errors import StreamError

_MAX_FRACTION_PART = (1 << 32) - 1  # numerator or denominator


def storable_fraction(value: Fraction) -> bool:
    """Return whether a fraction is positive and both its parts fit their fields."""
    return value > 0 and max(value.numerator, value.denominator) <= _MAX_FRACTION_PART


class FieldWriter:
    """Appends fields to a growing payload; every method returns the writer."""

    def __init__(self) -> None:
        self.data = bytearray()

    def integer(self, value: int, size: int) -> FieldWriter:
        """Append an unsigned integer of `size` bytes."""
        self.data += value.to_bytes(size, "little")
        return self

    def varint(self, value: int) -> FieldWriter:
        """Append 0..2^63-1: seven bits a byte, low bits first, top bit set on all but the last.

        Raises ValueError for a number out of range.
        """
        if not 0 <= value <= MAX_VARINT:
            raise ValueError(f"varint out of range: {value}")
        while value > 127:
            self.data.append(value & 127 | 128)
            value >>= 7
        self.data.append(value)
        return self

    def signed(self, value: int) -> FieldWriter:
        """Append a signed varint: 0, -1, 1, -2, ... become 0, 1, 2, 3, ..."""
        return self.varint(2 * value if value >= 0 else -2 * value - 1)

    def fraction(self, value: Fraction | None) -> FieldWriter:
        """Append numerator and denominator as two varints below 2^32; None is 0/0.

        Raises ValueError for a fraction out of range.
        """
        numerator, denominator = (value.numerator, value.denominator) if value else (0, 0)
        if max(numerator, denominator) > _MAX_FRACTION_PART:
            raise ValueError(f"fraction out of range: {value}")
        return self.varint(numerator).varint(denominator)

    def string(self, value: str) -> FieldWriter:
        """Append a text: as a word of the table, or its length and UTF-8; longer text is cut."""
        if value in WHOLE:
            return self.integer(FIRST_WHOLE + WHOLE.index(value), 1)
        for place, word in enumerate(BEGINNINGS):
            if value.startswith(word):
                value = value[len(word) :]
                self.integer(FIRST_BEGINNING + place, 1)
                break
        # The name of a file may hold what is not UTF-8: a question mark stands for it.
        data = value.encode(errors="replace")[:MAX_STRING].decode(errors="ignore").encode()
        return self.integer(len(data), 1).raw(data)

    def raw(self, value: bytes) -> FieldWriter:
        """Append bytes as they are."""
        self.data += value
        return self


def varint_size(value: int) -> int:
    """Return the number of bytes of a varint."""
    return max(1, -(-value.bit_length() // 7))


class FieldReader:
    """Takes fields off the front of a payload; a field that is not whole is a StreamError."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        self.what = what
        self.position = 0

    def fail(self, reason: str) -> StreamError:
        """Return the error that names this payload; the caller raises it."""
        return StreamError(f"{self.what}: {reason}")

    def raw(self, size: int) -> bytes:
        """Take `size` bytes.

        Raises StreamError where fewer are left.
        """
        end = self.position + size
        if end > len(self.data):
            raise self.fail("ends before its fields do")
        data = self.data[self.position : end]
        self.position = end
        return data

    def integer(self, size: int, low: int = 0, high: int = MAX_VARINT, name: str = "") -> int:
        """Take an unsigned integer of `size` bytes and hold it to [low, high]."""
        return self._within(int.from_bytes(self.raw(size), "little"), low, high, name)

    def varint(self, low: int = 0, high: int = MAX_VARINT, name: str = "") -> int:
        """Take a varint and hold it to [low, high].

        Raises StreamError for a number outside, and for one in more bytes than it needs.
        """
        value = shift = 0
        while True:
            byte = self.raw(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
            if shift > 56:
                raise self.fail("a varint of more than nine bytes")
        if byte == 0 and shift:
            raise self.fail("a varint longer than it need be")
        return self._within(value, low, high, name)

    def signed(self, limit: int, name: str = "") -> int:
        """Take a signed varint and hold its magnitude to `limit`."""
        value = self.varint(0, 2 * limit, name)
        return value >> 1 if value % 2 == 0 else -(value >> 1) - 1

    def fraction(self, name: str) -> Fraction | None:
        """Take a fraction: both parts positive, or None for 0/0.

        Raises StreamError for any other.
        """
        numerator = self.varint(0, _MAX_FRACTION_PART, f"{name}'s numerator")
        denominator = self.varint(0, _MAX_FRACTION_PART, f"{name}'s denominator")
        if numerator == denominator == 0:
            return None
        if not numerator or not denominator:
            raise self.fail(f"{name} {numerator}/{denominator} is not a positive fraction")
        return Fraction(numerator, denominator)

    def string(self) -> str:
        """Take a text: a word of the table, or a length byte and that many bytes of UTF-8.

        Raises StreamError for an unknown word and for text that is not UTF-8.
        """
        start = ""
        size = self.integer(1)
        if FIRST_WHOLE <= size < FIRST_WHOLE + len(WHOLE):
            return WHOLE[size - FIRST_WHOLE]
        if FIRST_BEGINNING <= size < FIRST_BEGINNING + len(BEGINNINGS):
            start = BEGINNINGS[size - FIRST_BEGINNING]
            size = self.integer(1)
        if size > MAX_STRING:
            raise self.fail(f"a word this program does not know: {size}")
        try:
            return start + self.raw(size).decode()
        except UnicodeDecodeError:
            raise self.fail("text that is not UTF-8") from None

    def rest(self) -> bytes:
        """Take all that is left."""
        return self.raw(len(self.data) - self.position)

    def end(self) -> None:
        """Refuse bytes after the last field.

        Raises StreamError where there are any.
        """
        if self.position != len(self.data):
            raise self.fail(f"{len(self.data) - self.position} bytes after its last field")

    def _within(self, value: int, low: int, high: int, name: str) -> int:
        if not low <= value <= high:
            raise self.fail(f"{name or 'a field'} is {value}, allowed is {low} to {high}")
        return value
