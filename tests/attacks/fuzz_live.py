"""The fuzzer of version 2: streams and datagrams, hurt or made to say something else.

    python -m tests.attacks.fuzz_live --mutants 200000 --seed 1

A third of the mutants are streams with hurt bytes, a third streams whose chunks say something else
with right CRCs and checks, a third datagrams that are lost, doubled, reordered, hurt, mixed with
those of another stream, or noise. Any error but StreamError, a mutant that computes for over ten
seconds, one that allocates over 64 MiB, and a frame that is silently different where nothing made
its CRC right, is a failure. `tests/attacks/test_live_fuzz.py` runs a slice of it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import signal
import sys
import time
import tracemalloc
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from facecodec.bitstream import AudioPacket, StreamReader
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import Chunk, Damage
from facecodec.bitstream.container.continued import (
    ContinuedChunk,
    continued_crc,
    pack_in_stream,
    pack_long,
)
from facecodec.bitstream.container.verify import verify
from facecodec.bitstream.fields import FieldWriter
from facecodec.errors import StreamError, UsageError
from facecodec.live import Decoder
from tests.attacks.mutations import BYTES
from tests.helpers import live_streams, toy_streams

SECONDS = 10  # a mutant, at most
MEMORY = 64 << 20  # bytes a mutant may allocate at its peak
GOLDEN = Path(__file__).resolve().parent.parent / "vectors" / "live"
Frames = dict[int, bytes]


class Hang(Exception):
    """A mutant took too long."""


@cache
def streams() -> dict[str, bytes]:
    """Return the streams that are mutated."""
    made = {name: (GOLDEN / name).read_bytes() for name in ("single.fcv", "triple.fcv")}
    made["wide.fcv"] = (GOLDEN / "wide.fcv").read_bytes()
    made["again.fcv"] = live_streams.stream(
        16, key_frames=5, header_keys=1, person_bytes=30, person_frames=3
    )
    return made


@cache
def sent() -> tuple[list[bytes], list[bytes], Frames]:
    """Return the datagrams of two streams, and the frames of the first."""
    ours = live_streams.packets(24, key_frames=8, copies=1)
    theirs = live_streams.packets(24, stream_id=b"another!", key_frames=8, copies=1)
    return ours, theirs, received(ours)


@cache
def frames_of(name: str) -> Frames:
    """Return the frames of a stream as they were sent, by their numbers."""
    return {f.index: f.controls.tobytes() for f in toy_streams.read(streams()[name])}


def received(packets: list[bytes]) -> Frames:
    """Return the frames of datagrams that are not marked as recovered."""
    decoder = Decoder(datagrams=True)
    frames = [frame for packet in packets for frame in decoder.feed(packet)]
    decoder.packets()
    return {f.index: f.controls.tobytes() for f in [*frames, *decoder.flush()] if not f.recovered}


def read(r: random.Random, data: bytes) -> Frames:
    """Read a stream in one of five ways; return the frames that are not marked as recovered."""
    way = r.randrange(5)
    if way == 0:
        decoder = Decoder(depth=r.choice((0, 3)))
        size = r.choice((1, 7, 100, 5000))
        pieces = (data[i : i + size] for i in range(0, len(data), size))
        frames: Any = [frame for piece in pieces for frame in decoder.feed(piece)]
        frames += decoder.flush()
    elif way == 1:
        file: Any = toy_streams.Pipe(data)
        items = StreamReader(file, "mutant").items()
        frames = [item for item in items if not isinstance(item, AudioPacket)]
    elif way == 2:
        stream = toy_streams.read(data)
        stream.rate_split()
        for entry in stream.index().entries[-2:]:
            list(itertools.islice(stream.frames(entry.pts * stream.header.time_base), 30))
        frames = list(stream)
    elif way == 3:
        verify(toy_streams.read(data))
        return {}
    else:
        frames = list(toy_streams.read(data))
    return {f.index: f.controls.tobytes() for f in frames if not f.recovered}


def hurt(r: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(r.choice((1, 1, 1, 2, 4))):
        r.choice(BYTES)(r, changed or bytearray(1))
        if not changed:
            break
    return bytes(changed)


def split(data: bytes) -> list[Chunk]:
    return [c for c in toy_streams.read(data).all_chunks() if not isinstance(c, Damage)]


def join(made: list[Chunk]) -> bytes:
    """Return a stream of chunks with right CRCs and checks, whatever is in them.

    The offset of a key stands for its number of frames.
    """
    out, seed, links, following = b"", 0, {}, 0
    for chunk in made:
        if isinstance(chunk, ContinuedChunk):
            before, frames = links.get(following - chunk.back, (0, 1))
            crc = continued_crc(before, chunk.back, chunk.frames, chunk.payload)
            placed = replace(chunk, crc=crc, first=following)
            out += pack_in_stream(placed, frames) if chunk.frames % 2 else pack_long(placed)
            following += chunk.frames
            links[following - 1] = crc, chunk.frames
            continue
        body = chunk.type + FieldWriter().varint(len(chunk.payload)).data + chunk.payload
        crc = zlib.crc32(body, 0 if chunk.type == chunks.STREAM_MAGIC else seed)
        out += body + crc.to_bytes(4, "little")
        if chunk.type == chunks.STREAM_MAGIC:
            seed = crc
        elif chunk.type == chunks.SEGMENT:
            frames = chunk.offset
            following += frames
            links[following - 1] = crc, frames
    return out


def meant(r: random.Random, data: bytes) -> bytes:
    """Return a stream whose chunks say something else, with right CRCs and checks."""
    made = split(data)
    usual = next((c.frames for c in made if isinstance(c, ContinuedChunk)), 1)
    made = [replace(c, offset=usual) for c in made]  # of a key: its frames
    for _ in range(r.choice((1, 1, 2, 4))):
        i = r.randrange(len(made))
        chunk, what = made[i], r.randrange(8)
        if what < 3:
            payload = bytearray(chunk.payload or b"\0")
            r.choice(BYTES)(r, payload)
            made[i] = replace(chunk, payload=bytes(payload[:4000]))
        elif what == 3 and isinstance(chunk, ContinuedChunk):
            made[i] = replace(chunk, frames=r.choice((1, 2, 3, 4, 40, 239, 240)))
        elif what == 4 and isinstance(chunk, ContinuedChunk):
            made[i] = replace(chunk, back=r.randint(1, 8))
        elif what == 5:
            made.insert(r.randrange(len(made) + 1), made[i])
        elif what == 6 and len(made) > 1:
            del made[i]
        elif not isinstance(chunk, ContinuedChunk) and i:
            kinds = [*chunks.LATE_TYPES[1:], b"AU", b"SE", b"EN", b"xx", b"XX"]
            made[i] = replace(chunk, type=r.choice(kinds))
    return join(made)


def over_a_bad_link(r: random.Random) -> list[bytes]:
    """Return the datagrams of a stream after all that may happen to them."""
    ours, theirs, _ = sent()
    loss, harm = r.choice((0, 0.1, 0.5)), r.choice((0, 0.1, 0.5))
    out: list[tuple[float, bytes]] = []
    for i, packet in enumerate(ours):
        if r.random() < loss:
            continue
        for _ in range(r.choice((1, 1, 1, 2))):
            now = hurt(r, packet) if r.random() < harm else packet
            out.append((i + r.choice((0, 0, 0, 1.5, 9, -5)), now))
    if r.random() < 0.3:
        out += [(r.uniform(0, 24), p) for p in r.sample(theirs, 3)]
    if r.random() < 0.3:
        out += [(r.uniform(0, 24), r.randbytes(r.randrange(60))) for _ in range(5)]
    return [packet for _, packet in sorted(out, key=lambda row: row[0])]


def run_one(r: random.Random) -> str:
    """Make a mutant and read it; return 'read' or 'refused'. Raises what it finds."""
    way = r.randrange(3)
    try:
        if way == 2:
            packets = over_a_bad_link(r)
            run_one.last = b"".join(packets)  # type: ignore[attr-defined]
            whole = sent()[2]
            for index, controls in received(packets).items():
                # The other stream is made of the same motion.
                assert whole[index] == controls, f"frame {index} differs in silence"
            return "read"
        name = r.choice(list(streams()))
        data = (hurt, meant)[way](r, streams()[name])
        run_one.last = data  # type: ignore[attr-defined]
        frames = read(r, data)
        if way == 0:
            for index, controls in frames.items():
                assert frames_of(name)[index] == controls, f"frame {index} differs in silence"
    except StreamError:
        return "refused"
    return "read"


def fuzz(seed: int, mutants: int, say: bool = False, first: int = 0) -> dict[str, Any]:
    """Run the fuzzer from one mutant up to another; return what happened. Raises on a failure."""
    counts = {"read": 0, "refused": 0}
    slowest, peak, done = 0.0, 0, first
    sent()

    def alarm(*_: Any) -> None:
        raise Hang(f"mutant {done} of seed {seed} takes over {SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, alarm)
    begin = time.perf_counter()
    try:
        while done < mutants:
            r = random.Random(f"{seed}/{done}")
            weigh = done % 200 == 0
            if weigh:
                tracemalloc.start()
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            start = time.process_time()
            try:
                counts[run_one(r)] += 1
            except UsageError as error:
                raise AssertionError(f"mutant {done}: {error}") from error
            except BaseException:
                Path(f"live-{seed}-{done}.bin").write_bytes(run_one.last)  # type: ignore[attr-defined]
                raise
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            if weigh:
                peak = max(peak, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
                assert peak < MEMORY, f"mutant {done} of seed {seed} allocates {peak} bytes"
            else:
                slowest = max(slowest, time.process_time() - start)
            done += 1
            if say and done % 5000 == 0:
                print(f"{done} mutants, {time.perf_counter() - begin:.0f} s", flush=True)
    finally:
        signal.signal(signal.SIGVTALRM, before)
        if tracemalloc.is_tracing():
            tracemalloc.stop()
    return {
        "seed": seed,
        "first": first,
        "mutants": done - first,
        **counts,
        "crashes": 0,
        "hangs": 0,
        "seconds": round(time.perf_counter() - begin, 1),
        "slowest_ms": round(1000 * slowest, 1),
        "peak_traced_bytes": peak,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--mutants", type=int, default=200_000, help="stop before this mutant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="begin with this mutant, to go on")
    parser.add_argument("--results", type=Path, help="add what happened to this JSON file")
    options = parser.parse_args()
    tally = fuzz(options.seed, options.mutants, say=True, first=options.first)
    print(json.dumps(tally, indent=2))
    if options.results:
        command = f"python -m tests.attacks.fuzz_live --mutants {options.mutants}"
        command += f" --seed {options.seed}" + (f" --first {options.first}" * (options.first > 0))
        runs = json.loads(options.results.read_text()) if options.results.exists() else []
        options.results.write_text(
            json.dumps([*runs, {"command": command} | tally], indent=2) + "\n"
        )


if __name__ == "__main__":
    sys.exit(main())
