"""`.fci` files: a person alone, referenced by the SHA-256 of the file (SPEC.md section 12)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import chunks, limits
from facecodec.bitstream.fields import FieldReader, FieldWriter
from facecodec.bitstream.identity import parse_identity
from facecodec.bitstream.tuning import TuningParts, split_tuning
from facecodec.errors import StreamError


@dataclass(frozen=True)
class IdentityFile:
    """One person: `payload` is that of an identity chunk, `tuning` the bytes of a tuning or None.

    sha256: of the whole file, once it is packed or read.
    """

    generator_name: str
    generator_sha256: bytes
    num_ws: int
    w_dim: int
    creator: str
    payload: bytes
    tuning: bytes | None = None
    sha256: bytes = b""

    def pack(self) -> bytes:
        """Return the bytes of the file."""
        head = FieldWriter().integer(limits.VERSION, 1).integer(self.num_ws, 1)
        head.integer(self.w_dim, 2).raw(self.generator_sha256)
        head.string(self.generator_name).string(self.creator)
        first = chunks.pack_chunk(chunks.HEADER, bytes(head.data), 0)
        seed = int.from_bytes(first[-4:], "little")
        out = chunks.IDENTITY_MAGIC + first
        out += chunks.pack_chunk(chunks.IDENTITY, self.payload, seed)
        for part in split_tuning(self.tuning or b""):
            out += chunks.pack_chunk(chunks.TUNING, part, seed)
        return out

    def w_plus(self, w_mean: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the identity latent, float32 [num_ws, w_dim]."""
        return parse_identity(self.payload, self.num_ws, self.w_dim, w_mean)


def read_identity(file: BinaryIO, name: str = "identity file") -> IdentityFile:
    """Read a `.fci` file whole; StreamError for any damage: there is nothing to recover."""
    digest = hashlib.sha256()

    def take(size: int) -> bytes:
        data = file.read(size)
        digest.update(data)
        return data

    if take(8) != chunks.IDENTITY_MAGIC:
        raise StreamError(f"{name}: not a .fci identity file")
    found: dict[bytes, bytes] = {}
    tuning = TuningParts()
    seed = 0
    position = 8
    while head := take(8):
        kind, size = head[:4], int.from_bytes(head[4:8], "little")
        if size > chunks.LIMITS.get(kind, limits.MAX_CHUNK):
            raise StreamError(f"{name}: damaged at byte {position}; extract it again")
        body = take(size + 4)
        payload = body[:size]
        crc = chunks.chunk_crc(kind, payload, seed).to_bytes(4, "little")
        if len(head) < 8 or not (kind.isascii() and kind.isalpha()) or body[size:] != crc:
            raise StreamError(f"{name}: damaged at byte {position}; extract it again")
        if not found and kind != chunks.HEADER:
            raise StreamError(f"{name}: the file does not begin with its header")
        if kind == chunks.TUNING:
            tuning.add(payload)
        elif kind in (chunks.HEADER, chunks.IDENTITY) and kind not in found:
            found[kind] = payload
            if kind == chunks.HEADER:
                seed = int.from_bytes(crc, "little")
        elif not kind[0] & 32:
            raise StreamError(f"{name}: unexpected critical chunk {kind.decode()}")
        position += size + chunks.OVERHEAD
    if len(found) != 2 or tuning.incomplete:
        raise StreamError(f"{name}: the file ends before its identity is complete")
    fields = FieldReader(found[chunks.HEADER], f"{name}: header")
    version = fields.integer(1)
    if version != limits.VERSION:
        raise StreamError(f"{name}: version {version}: this program reads {limits.VERSION} only")
    num_ws = fields.integer(1, 1, limits.MAX_NUM_WS, "number of W+ rows")
    w_dim = fields.integer(2, 1, limits.MAX_W_DIM, "width of W+")
    generator_sha256 = fields.raw(32)
    generator_name, creator = fields.string(), fields.string()
    fields.end()
    return IdentityFile(
        generator_name,
        generator_sha256,
        num_ws,
        w_dim,
        creator,
        found[chunks.IDENTITY],
        tuning.joined(),
        digest.digest(),
    )
