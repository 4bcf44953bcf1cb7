"""Identity files: a person out of a stream, and a person for the next encode."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.bitstream import IdentityFile, open_stream, read_identity
from facecodec.errors import StreamError
from facecodec.version import __version__


def extract_identity(
    source: str | Path, output: str | Path, *, tuning: bool = True, force: bool = False
) -> IdentityFile:
    """Write the person of a `.fcv` stream to a `.fci` file, and return what is in it.

    source: the stream. output: the `.fci` file; '-' is standard output. tuning: with the tuning
    that the stream may carry. force: overwrite `output`.
    Raises StreamError when the stream only refers to a `.fci` file or its identity is damaged,
    UsageError when a file is missing or `output` is in the way.
    """
    refuse_overwrite(output, force, [source])
    stream = open_stream(source)
    header = stream.header
    if stream.identity_reference is not None:
        raise StreamError(
            f"{source}: its identity is in a .fci file already, "
            f"the one with SHA-256 {stream.identity_reference.hex()}"
        )
    if stream.identity_payload is None:
        raise StreamError(f"{source}: the identity is damaged or missing")
    person = IdentityFile(
        header.generator_name,
        header.generator_sha256,
        header.num_ws,
        header.w_dim,
        f"facecodec {__version__}",
        stream.identity_payload,
        stream.tuning if tuning else None,
    )
    packed = person.pack()
    with opened_whole(output) as file:
        file.write(packed)
    return read_identity(BytesIO(packed), str(output))
