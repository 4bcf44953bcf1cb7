"""Mutants of real streams: hurt bytes, or chunks that say something else with right CRCs."""

from __future__ import annotations

import random
from pathlib import Path

from tests.helpers import toy_streams
from tests.helpers.damage import MAGIC, Chunks, join, split

GOLDEN = Path(__file__).resolve().parent.parent / "vectors" / "streams"
TYPES = [MAGIC, b"ID", b"IR", b"AP", b"TU", b"AU", b"SE", b"EN", b"cP", b"cF", b"NW", b"nw"]


def corpus() -> dict[str, bytes]:
    """Return the golden streams, the longest one left out for speed, and some of other shapes."""
    files = sorted(GOLDEN.glob("*.fc[vi]"))
    files = [path for path in files if path.name != "long.fcv" and "damaged" not in path.name]
    streams = {path.name: path.read_bytes() for path in files}
    streams["single.fcv"] = toy_streams.write(8, place=False, segment_frames=1)
    streams["context.fcv"] = toy_streams.write(9, context=True, segment_frames=4)
    streams["tuned.fcv"] = toy_streams.write(
        9,
        head=toy_streams.header(metadata={"tune": "light"}),
        audio=toy_streams.packets(18, 12),
        tuning=toy_streams.light_tuning(styles=40),
        segment_frames=4,
    )
    return streams


# Mutations of bytes.


def flip_bits(r: random.Random, data: bytearray) -> None:
    for _ in range(r.choice((1, 1, 2, 5, 20))):
        data[r.randrange(len(data))] ^= 1 << r.randrange(8)


def set_bytes(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    for i in range(at, min(at + r.choice((1, 2, 4, 8)), len(data))):
        data[i] = r.choice((0, 1, 0x7F, 0x80, 0xFF, r.randrange(256)))


def remove(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    del data[at : at + r.choice((1, 2, 7, 40, 300))]


def insert(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data) + 1)
    data[at:at] = r.randbytes(r.choice((1, 2, 7, 40)))


def repeat(r: random.Random, data: bytearray) -> None:
    at, size = r.randrange(len(data)), r.choice((1, 4, 12, 60, 300))
    data[at:at] = data[at : at + size] * r.choice((1, 2, 9))


def swap(r: random.Random, data: bytearray) -> None:
    a, b, size = r.randrange(len(data)), r.randrange(len(data)), r.choice((1, 4, 30))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def truncate(r: random.Random, data: bytearray) -> None:
    del data[r.randrange(len(data)) :]


def plant_type(r: random.Random, data: bytearray) -> None:
    at = r.randrange(len(data))
    kind = r.choice(TYPES)
    data[at : at + len(kind)] = kind


BYTES = [flip_bits, flip_bits, set_bytes, remove, insert, repeat, swap, truncate, plant_type]

# Mutations of chunks, whose CRCs are made right afterwards.


def hurt_payload(r: random.Random, chunks: Chunks) -> None:
    i = r.randrange(len(chunks))
    data = bytearray(chunks[i][1] or b"\0")
    r.choice((flip_bits, set_bytes, remove, insert, repeat, swap, truncate))(r, data)
    chunks[i] = (chunks[i][0], bytes(data))


def drop_chunk(r: random.Random, chunks: Chunks) -> None:
    if len(chunks) > 1:
        del chunks[r.randrange(len(chunks))]


def repeat_chunk(r: random.Random, chunks: Chunks) -> None:
    chunks.insert(r.randrange(len(chunks) + 1), r.choice(chunks))


def move_chunk(r: random.Random, chunks: Chunks) -> None:
    chunks.insert(r.randrange(len(chunks)), chunks.pop(r.randrange(len(chunks))))


def retype(r: random.Random, chunks: Chunks) -> None:
    i = r.randrange(len(chunks))
    kind = r.choice([*TYPES, chunks[i][0].swapcase(), r.randbytes(2)])
    chunks[i] = (kind, chunks[i][1])


CHUNKS = [hurt_payload] * 6 + [drop_chunk, repeat_chunk, move_chunk, retype]


def mutate(r: random.Random, files: dict[str, bytes]) -> tuple[bytes, str, bool]:
    """Return a mutant, the name of the file it was, and whether its CRCs were made right."""
    name = r.choice(list(files))
    data = files[name]
    if r.random() < 0.5:
        hurt = bytearray(data)
        for _ in range(r.choice((1, 1, 1, 2, 4))):
            r.choice(BYTES)(r, hurt or bytearray(1))
            if not hurt:
                break
        return bytes(hurt), name, False
    chunks = split(data)
    if r.random() < 0.1:
        chunks = chunks[: r.randrange(1, len(chunks))] + split(files[r.choice(list(files))])[1:]
    for _ in range(r.choice((1, 1, 2, 4))):
        r.choice(CHUNKS)(r, chunks)
    return join(chunks), name, True
