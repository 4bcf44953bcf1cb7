"""What a stream says before its first frame: who is in it, their tuning, how its audio is coded."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.audio import AudioParameters
from facecodec.bitstream.coding.header import StreamHeader
from facecodec.bitstream.coding.identity import parse_identity
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.audio import parse_audio_parameters
from facecodec.bitstream.container.chunk_parts import ChunkParts
from facecodec.bitstream.container.chunks import Chunk
from facecodec.bitstream.container.identity_file import IdentityFile
from facecodec.bitstream.container.tuning_parts import TuningParts
from facecodec.errors import StreamError


class Preamble:
    """Collects the chunks between the header and the first frame or packet.

    name: what error messages call the file. late: as in version 2, they may come later too, again,
    and in parts.
    """

    def __init__(self, name: str, late: bool = False) -> None:
        self.name = name
        self.late = late
        self._parts = ChunkParts()
        self._taken: set[bytes] = set()  # SHA-256 of what has come
        self.identity_payload: bytes | None = None
        self.identity_reference: bytes | None = None
        self.audio: AudioParameters | None = None
        # Of the context: its plate, and the first pictures, which may come before the body begins.
        self.context: dict[bytes, Chunk] = {}
        self.offsets: dict[bytes, int] = {}  # of the first chunk of each type
        self._tuning = TuningParts()

    def add(self, chunk: Chunk) -> bool:
        """Take in a chunk; False for one that does not belong here.

        Raises StreamError for a second identity, or one that is no identity; in version 2, for
        other parameters of the audio too.
        """
        if self.late:
            return self._add_late(chunk)
        return self._add(chunk)

    def _add_late(self, chunk: Chunk) -> bool:
        """Take in a chunk that may have come before, or be a part of one."""
        if chunk.type == chunks.STREAM_MAGIC:
            return True  # the same as at the beginning
        if chunk.type == chunks.PART:
            whole = self._parts.add(chunk)
            return whole is None or self._add_late(whole)
        digest = hashlib.sha256(chunk.type + chunk.payload).digest()
        if digest in self._taken:
            return True
        known = self._add(chunk)
        if known:
            self._taken.add(digest)
        return known

    def _add(self, chunk: Chunk) -> bool:
        self.offsets.setdefault(chunk.type, chunk.offset)
        if chunk.type in (chunks.IDENTITY, chunks.IDENTITY_REFERENCE):
            self._set_identity(chunk)
        elif chunk.type == chunks.AUDIO_PARAMETERS and self.audio is not None and self.late:
            raise StreamError(f"{self.name}: the audio's parameters come twice, and differ")
        elif chunk.type == chunks.AUDIO_PARAMETERS and self.audio is None:
            self.audio = parse_audio_parameters(chunk.payload)
        elif chunk.type == chunks.TUNING:
            self._tuning.add(chunk.payload)
        elif chunk.type in (chunks.CONTEXT_PLATE, chunks.CONTEXT):
            self.context.setdefault(chunk.type, chunk)
        else:
            return False
        return True

    def _set_identity(self, chunk: Chunk) -> None:
        if self.identity_payload is not None or self.identity_reference is not None:
            raise StreamError(f"{self.name}: more than one identity")
        if chunk.type == chunks.IDENTITY:
            self.identity_payload = chunk.payload
        elif len(chunk.payload) != 32:
            raise StreamError(f"{self.name}: an identity reference that is no SHA-256")
        else:
            self.identity_reference = chunk.payload

    @property
    def tuning(self) -> bytes | None:
        """The stream's own tuning, None where it has none or not all of it."""
        return self._tuning.joined()

    def missing(self, header: StreamHeader) -> list[str]:
        """Return what should have come by now and did not.

        A header's metadata `tune` tells that its identity comes with a tuning.
        """
        missing = []
        if self.identity_payload is None and self.identity_reference is None:
            missing.append("the identity is missing")
        if self._tuning.incomplete:
            missing.append("a part of the tuning is missing")
        named = header.metadata.get("tune", "none") != "none"
        if named and self.identity_payload is not None and self._tuning.empty:
            missing.append("the tuning is missing")
        return missing

    def identity(
        self,
        header: StreamHeader,
        w_mean: NDArray[np.float32],
        identity_file: IdentityFile | None,
    ) -> NDArray[np.float32]:
        """Return the identity latent, float32 [num_ws, w_dim]: see `StreamReader.identity`.

        Raises StreamError where it is damaged, or where the identity file it needs is not the given
        one.
        """
        if self.identity_payload is not None:
            return parse_identity(self.identity_payload, header.num_ws, header.w_dim, w_mean)
        if self.identity_reference is None:
            raise StreamError(f"{self.name}: the identity is damaged or missing")
        wanted = self.identity_reference.hex()
        if identity_file is None:
            raise StreamError(
                f"{self.name}: its identity is in a .fci file; pass the one with SHA-256 {wanted}"
            )
        if identity_file.sha256 != self.identity_reference:
            raise StreamError(
                f"{self.name}: needs the .fci file with SHA-256 {wanted}, "
                f"not {identity_file.sha256.hex()}"
            )
        if (identity_file.num_ws, identity_file.w_dim) != (header.num_ws, header.w_dim):
            raise StreamError(f"{self.name}: the .fci file is for another generator")
        return identity_file.w_plus(w_mean)
