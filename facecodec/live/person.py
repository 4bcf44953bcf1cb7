"""Who is sent live: the identity or where it is, and the tuning, as a stream carries them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from facecodec.bitstream import IdentityFile, StreamReader
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.tuning_parts import split_tuning
from facecodec.errors import UsageError

_SHA256_BYTES = 32


@dataclass(frozen=True)
class LivePerson:
    """The payload of an identity chunk, or the SHA-256 of a `.fci` file; and a tuning or none.

    refines: the id of a stream of the same person, known less well, that theirs takes the place of.
    """

    identity: bytes | None = None
    reference: bytes | None = None
    tuning: bytes | None = None
    refines: bytes | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for no identity or two, and for a reference that is no SHA-256."""
        if (self.identity is None) == (self.reference is None):
            raise UsageError("a person is an identity, or a reference to a .fci file")
        if self.reference is not None and len(self.reference) != _SHA256_BYTES:
            raise UsageError("a SHA-256 has 32 bytes")

    @classmethod
    def from_identity_file(cls, file: IdentityFile, refer: bool = False) -> LivePerson:
        """Return the person of a `.fci` file, or a reference to it for those who have it."""
        if refer:
            return cls(reference=file.sha256)
        return cls(identity=file.payload, tuning=file.tuning)

    @classmethod
    def from_stream(cls, stream: StreamReader) -> LivePerson:
        """Return the person of a `.fcv` stream."""
        return cls(stream.identity_payload, stream.identity_reference, stream.tuning)

    def chunks(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the types and payloads of the chunks, in the order in which they are of use."""
        if self.identity is not None:
            yield chunks.IDENTITY, self.identity
        if self.reference is not None:
            yield chunks.IDENTITY_REFERENCE, self.reference
        for payload in split_tuning(self.tuning or b""):
            yield chunks.TUNING, payload
