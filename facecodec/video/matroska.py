"""The little of Matroska (RFC 9559) that is written here: the head of a file, and elements."""

from __future__ import annotations

from collections.abc import Sequence

VIDEO_TRACK, AUDIO_TRACK = 1, 2  # types of tracks
_NANOSECONDS = 1_000_000  # that a timestamp counts in, unless another number is given: milliseconds
_UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"  # of what has no end yet
_EBML, _SEGMENT, _INFO, _TRACKS = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B


def element(identifier: int, body: bytes) -> bytes:
    """Return an element: its identifier, its size in eight bytes, and what is in it."""
    return _identifier(identifier) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def number(identifier: int, value: int) -> bytes:
    """Return an element that holds a whole number, 0 to 2^64 - 1."""
    return element(identifier, value.to_bytes(max((value.bit_length() + 7) // 8, 1), "big"))


def track_entry(track: int, kind: int, codec: str, rest: bytes) -> bytes:
    """Return the entry of a track: its number from 1, its type, Matroska's codec ID, the rest."""
    head = number(0xD7, track) + number(0x73C5, track) + number(0x83, kind)
    return element(0xAE, head + element(0x86, codec.encode()) + rest)


def header(tracks: Sequence[bytes], body: bytes, nanoseconds: int = _NANOSECONDS) -> bytes:
    """Return a whole file: entries of its tracks, and what comes after them.

    nanoseconds: of a unit of its timestamps.
    """
    return _kind() + element(_SEGMENT, _beginning(tracks, nanoseconds, b"") + body)


def live_header(tracks: Sequence[bytes], nanoseconds: int, tags: bytes = b"") -> bytes:
    """Return the beginning of a file without an end: clusters may follow as they are made."""
    begun = _identifier(_SEGMENT) + _UNKNOWN_SIZE
    return _kind() + begun + _beginning(tracks, nanoseconds, tags)


def cluster(time: int, track: int, data: bytes) -> bytes:
    """Return a cluster of one block, which any decoder can begin at.

    time: at least 0, in units of the file.
    """
    block = bytes([0x80 | track, 0, 0, 0x80])  # no time of its own; a key frame
    return element(0x1F43B675, number(0xE7, time) + element(0xA3, block + data))


def tag(name: str, text: str) -> bytes:
    """Return an element that says something of the whole file, for `live_header`."""
    simple = element(0x45A3, name.encode()) + element(0x4487, text.encode())
    return element(0x7373, element(0x63C0, b"") + element(0x67C8, simple))


def _kind() -> bytes:
    return element(_EBML, element(0x4282, b"matroska") + element(0x4287, b"\x04"))


def _beginning(tracks: Sequence[bytes], nanoseconds: int, tags: bytes) -> bytes:
    info = element(_INFO, number(0x2AD7B1, nanoseconds))
    said = element(0x1254C367, tags) if tags else b""
    return info + element(_TRACKS, b"".join(tracks)) + said


def _identifier(identifier: int) -> bytes:
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
