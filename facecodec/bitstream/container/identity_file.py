"""`.fci` files: a person alone, referenced by the SHA-256 of the file (SPEC.md section 12)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import limits
from facecodec.bitstream.coding.identity import parse_identity
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunk_reader import ChunkReader
from facecodec.bitstream.container.chunks import Damage
from facecodec.bitstream.container.tuning_parts import TuningParts, split_tuning
from facecodec.bitstream.fields import FieldReader, FieldWriter
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
        head.varint(self.w_dim).raw(self.generator_sha256)
        head.string(self.generator_name).string(self.creator)
        out = chunks.pack_chunk(chunks.IDENTITY_MAGIC, bytes(head.data), 0)
        seed = int.from_bytes(out[-chunks.CRC_BYTES :], "little")
        out += chunks.pack_chunk(chunks.IDENTITY, self.payload, seed)
        for part in split_tuning(self.tuning or b""):
            out += chunks.pack_chunk(chunks.TUNING, part, seed)
        return out

    def w_plus(self, w_mean: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the identity latent, float32 [num_ws, w_dim]."""
        return parse_identity(self.payload, self.num_ws, self.w_dim, w_mean)


class _Digested:
    """A file object whose bytes are hashed as they are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.digest.update(data)
        return data


def read_identity(file: BinaryIO, name: str = "identity file") -> IdentityFile:
    """Read a `.fci` file whole, its tuning as bytes: see `check_tuning`.

    Raises StreamError for any damage: there is nothing to recover.
    """
    hashed = _Digested(file)
    reader = ChunkReader(cast(BinaryIO, hashed))
    head = reader.header(chunks.IDENTITY_MAGIC, name)
    payload: bytes | None = None
    tuning = TuningParts()
    for chunk in reader:
        if isinstance(chunk, Damage):
            raise StreamError(f"{name}: damaged at byte {chunk.offset}; extract it again")
        if chunk.type == chunks.TUNING:
            tuning.add(chunk.payload)
        elif chunk.type == chunks.IDENTITY and payload is None:
            payload = chunk.payload
        elif chunk.critical:
            raise StreamError(f"{name}: unexpected critical chunk {chunk.name}")
    if payload is None or tuning.incomplete:
        raise StreamError(f"{name}: the file ends before its identity is complete")
    fields = FieldReader(head.payload, f"{name}: header")
    version = fields.integer(1)
    if version != limits.VERSION:
        raise StreamError(f"{name}: version {version}: this program reads {limits.VERSION} only")
    num_ws = fields.integer(1, 1, limits.MAX_NUM_WS, "number of W+ rows")
    w_dim = fields.varint(1, limits.MAX_W_DIM, "width of W+")
    generator_sha256 = fields.raw(32)
    generator_name, creator = fields.string(), fields.string()
    fields.end()
    parse_identity(payload, num_ws, w_dim, np.zeros(w_dim, np.float32))
    return IdentityFile(
        generator_name,
        generator_sha256,
        num_ws,
        w_dim,
        creator,
        payload,
        tuning.joined(),
        hashed.digest.digest(),
    )
