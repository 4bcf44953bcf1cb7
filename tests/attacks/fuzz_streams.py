"""A seeded mutation fuzzer over real streams: no crash, no hang, no large allocation.

    python -m tests.attacks.fuzz_streams --mutants 200000 --seed 1
    python -m tests.attacks.fuzz_streams --flips
    python -m tests.attacks.fuzz_streams --third --mutants 20000

Half of the mutants are hurt bytes, which a reader must refuse or report (CRCs); the other half
have their CRCs made right again, so that what lies behind them is reached. Any error but
StreamError, a mutant that computes for over ten seconds, or one that silently decodes to
something else, is a failure and is written to the current folder.
`tests/attacks/test_streams_fuzz.py` runs a slice of it. --flips: every byte of streams with and
without audio, placement and tuning, flipped in three ways; all but the hurt segment must come.
--third: the third decoder must make the same of each mutant, refusals included. --results FILE
adds what happened to a file of results.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import random
import resource
import signal
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facecodec.bitstream import StreamReader, read_identity
from facecodec.bitstream.container.describe import describe, list_chunks
from facecodec.bitstream.container.verify import verify
from facecodec.errors import StreamError
from tests.attacks.mutations import corpus, mutate
from tests.helpers import third
from tests.helpers.damage import (
    check,
    places,
    read_all,
    segments,
)

SECONDS = 10  # a mutant, at most
MEMORY = 64 << 20  # bytes a mutant may allocate at its peak


class Hang(Exception):
    """A mutant took too long."""


# What is done with a mutant.


def through_commands(data: bytes) -> None:
    stream = StreamReader(io.BytesIO(data), "mutant.fcv")
    describe(stream)
    describe(stream, rates=True)
    list_chunks(stream)
    verify(stream)


def by_seeking(data: bytes) -> None:
    stream = StreamReader(io.BytesIO(data), "mutant.fcv")
    entries = stream.index().entries
    base = stream.header.time_base
    for entry in entries[-2:]:
        for _ in zip(stream.items(entry.pts * base), range(50), strict=False):
            pass
    if stream.audio:
        list(stream.audio_packets())


def as_identity(data: bytes) -> tuple[bytes, bytes | None]:
    """Return the latent and the tuning of an identity file."""
    person = read_identity(io.BytesIO(data), "mutant.fci")
    return person.w_plus(np.zeros(person.w_dim, np.float32)).tobytes(), person.tuning


WAYS: list[Callable[[bytes], Any]] = [
    read_all,
    lambda data: read_all(data, pipe=True),
    through_commands,
    by_seeking,
]


def run_one(r: random.Random, files: dict[str, bytes], contents: dict[str, Any]) -> str:
    """Make a mutant and read it; return 'read' or 'refused'. Raises what it finds."""
    data, name, right = mutate(r, files)
    way = r.randrange(len(WAYS))
    run_one.last = data  # type: ignore[attr-defined]
    if name.endswith(".fci"):
        try:
            latent, tuning = as_identity(data)
        except StreamError:
            return "refused"
        if not right:  # cut before its tuning, it is another whole file
            whole = as_identity(files[name])
            assert latent == whole[0] and tuning in (None, whole[1]), "silently different"
        return "read"
    if not right:
        return "refused" if check(data, contents[name], pipe=way == 1) is None else "read"
    try:
        WAYS[way](data)
    except StreamError:
        return "refused"
    return "read"


def fuzz(
    seed: int, mutants: int | None, seconds: float | None, say: bool = False, first: int = 0
) -> dict:
    """Run the fuzzer up to a mutant or for some seconds; return what happened.

    Begins with mutant number `first`. Raises on a failure.
    """
    files = corpus()
    contents = {name: read_all(data) for name, data in files.items() if name.endswith(".fcv")}
    counts = {"read": 0, "refused": 0}
    slowest, peak, done = 0.0, 0, first

    def alarm(*_: Any) -> None:
        raise Hang(f"mutant {done} of seed {seed} takes over {SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, alarm)
    begin = time.perf_counter()
    try:
        while (mutants is None or done < mutants) and (
            seconds is None or time.perf_counter() - begin < seconds
        ):
            r = random.Random(f"{seed}/{done}")  # each mutant can be made again alone
            weigh = done % 100 == 0
            if weigh:
                tracemalloc.start()
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            start = time.process_time()
            try:
                counts[run_one(r, files, contents)] += 1
            except BaseException:
                Path(f"mutant-{seed}-{done}.fcv").write_bytes(run_one.last)  # type: ignore[attr-defined]
                raise
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            if not weigh:
                slowest = max(slowest, time.process_time() - start)
            else:
                peak = max(peak, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
                assert peak < MEMORY, f"mutant {done} of seed {seed} allocates {peak} bytes"
            done += 1
            if say and done % 10000 == 0:
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
        "peak_resident_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def flips() -> dict:
    """Flip every byte of six streams and more in three ways; return what happened.

    Raises AssertionError for a silent difference, a refusal though all but the header is whole,
    or a frame lost that is not of the segment that was hurt.
    """
    counts = {"streams": 0, "flips": 0, "refused": 0, "read": 0}
    for name, data in corpus().items():
        if name.endswith(".fci"):
            continue
        whole, parts, header = read_all(data), segments(data), places(data)[1][0]
        counts["streams"] += 1
        for at, pattern in itertools.product(range(len(data)), (0x01, 0x80, 0xFF)):
            hurt = data[:at] + bytes([data[at] ^ pattern]) + data[at + 1 :]
            got = check(hurt, whole, pipe=at % 2 == 1)
            counts["flips"] += 1
            counts["refused" if got is None else "read"] += 1
            assert (got is None) == (at < header), f"{name}, byte {at}: refused though readable"
            if got is not None:
                lost = [frames for where, frames in parts if at in where]
                assert set(got.frames) == set(whole.frames).difference(*lost), f"{name}, byte {at}"
    return counts | {"silent": 0, "refused_though_readable": 0, "frames_lost_needlessly": 0}


def beside_the_third(seed: int, mutants: int, first: int = 0) -> dict:
    """Hold mutants of streams against the third decoder; return what happened.

    Raises AssertionError where the two differ, a stream that only one refuses included.
    """
    files = {name: data for name, data in corpus().items() if name.endswith(".fcv")}
    read = 0
    for begin in range(first, mutants, 1000):
        numbers = range(begin, min(begin + 1000, mutants))
        made = [mutate(random.Random(f"{seed}/{i}"), files)[0] for i in numbers]
        with tempfile.TemporaryDirectory() as folder:
            wrong, some = third.disagreements(made, Path(folder))
        assert not wrong, f"seed {seed}: mutants {[begin + i for i in wrong]}"
        read += some
    count = mutants - first
    return {"seed": seed, "mutants": count, "read": read, "refused": count - read,
            "different": 0, "refused_by_one": 0}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--mutants", type=int, default=200_000, help="stop before this mutant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="begin with this mutant, to go on")
    parser.add_argument("--flips", action="store_true", help="flip every byte instead")
    parser.add_argument("--third", action="store_true", help="compare with the third decoder")
    parser.add_argument("--results", type=Path, help="add what happened to this JSON file")
    options = parser.parse_args()
    begin = time.perf_counter()
    if options.flips:
        tally = flips()
    elif options.third:
        tally = beside_the_third(options.seed, options.mutants, options.first)
    else:
        tally = fuzz(options.seed, options.mutants, None, say=True, first=options.first)
    tally["seconds"] = round(time.perf_counter() - begin, 1)
    print(json.dumps(tally, indent=2))
    if options.results:
        given = [argument for argument in sys.argv[1:] if argument != "--results"]
        given.remove(str(options.results))
        run = {"command": " ".join(["python -m tests.attacks.fuzz_streams", *given])} | tally
        runs = json.loads(options.results.read_text()) if options.results.exists() else []
        options.results.write_text(json.dumps([*runs, run], indent=2) + "\n")


if __name__ == "__main__":
    main()
