"""What comes through a link that loses packets: frames shown, put in the place of others, wrong.

    python benchmarks/live_loss.py clip.fcv --json benchmarks/results/live_loss.json

Input: a stream, whose frames are sent forwards and backwards in turn, one a datagram at 30 a
second, with a key every two seconds. Each row is a link (`lossy_link.py`) and a number of copies
in each datagram: the share of frames shown as they were sent, the share for which something else
stands, frames shown wrongly (there must be none), and the longest time without a true frame.
`sent` is what the sender needs for frames, copies and keys with their headers, without IP and UDP.
--minutes: of every row. --hour: push an hour of controls through encoder and decoder instead, and
say what memory and clock do.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from lossy_link import LinkModel, receive
from numpy.typing import NDArray
from saved import save

from facecodec.bitstream import StreamHeader, open_stream
from facecodec.live import (
    ControlsEncoder,
    Decoder,
    LivePerson,
    LiveSettings,
    PacketEncoder,
)

RATE = Fraction(30)
TIME_BASE = Fraction(1, 90000)
DEPTH = 6  # frames that the receiver waits for late ones
LINKS = {
    "clean": LinkModel(),
    "1 %": LinkModel(0.01),
    "5 %": LinkModel(0.05),
    "10 %": LinkModel(0.1),
    "20 %": LinkModel(0.2),
    "30 %": LinkModel(0.3),
    "5 % in bursts of 5": LinkModel(0.05, 5),
    "5 % in bursts of 20": LinkModel(0.05, 20),
    "5 % in bursts of 50": LinkModel(0.05, 50),
    "20 % late, 10 % twice": LinkModel(0, late=0.2, doubled=0.1),
    "5 % lost, 20 % late, 10 % twice": LinkModel(0.05, late=0.2, doubled=0.1),
}
COPIES = (0, 2, 4)
PAGE_BYTES = resource.getpagesize()


def load(path: Path, frames: int) -> tuple[StreamHeader, NDArray[np.float32], LivePerson]:
    """Return a header, controls [frames, K] and the person of a stream."""
    stream = open_stream(path)
    header = replace(
        stream.header, precision="quantised", frame_rate=RATE, time_base=TIME_BASE, metadata={}
    )
    clip = [frame.controls for frame in stream]
    rows = itertools.islice(itertools.cycle([*clip, *clip[::-1]]), frames)
    return header, np.stack(list(rows)), LivePerson.from_stream(stream)


def sent_packets(
    header: StreamHeader, controls: NDArray[np.float32], person: LivePerson, copies: int
) -> list[bytes]:
    settings = LiveSettings.for_packets(copies=copies, person_frames=None)
    encoder = PacketEncoder(header, person, settings=settings)
    made = [encoder.push(row, i / RATE) for i, row in enumerate(controls)]
    return [packet for group in [*made, encoder.close()] for packet in group]


def table(path: Path, minutes: float) -> list[dict[str, Any]]:
    header, controls, person = load(path, int(minutes * 60 * RATE))
    person = LivePerson(reference=bytes(31) + b"r")  # who is sent by other means costs nothing
    rows = []
    for copies in COPIES:
        packets = sent_packets(header, controls, person, copies)
        decoder = Decoder(datagrams=True)
        came = [frame for packet in packets for frame in decoder.feed(packet)]
        truth = np.stack([frame.controls for frame in [*came, *decoder.flush()]])
        kbps = sum(map(len, packets)) * 8 * float(RATE) / len(controls) / 1000
        for name, link in LINKS.items():
            got = receive(link.through(packets, seed=1), truth, DEPTH)
            row = {"link": name, "copies": copies, "sent_kbps": round(kbps, 2)}
            row |= asdict(got) | {"longest_seconds": round(got.longest / float(RATE), 2)}
            rows.append(row)
            shown, held = got.shown / got.sent, got.held / got.sent
            print(
                f"{name:32} copies {copies}  sent {kbps:6.2f} kbps  shown {shown:7.2%}"
                f"  in place {held:7.2%}  wrong {got.wrong}"
                f"  longest {row['longest_seconds']:5.2f} s",
                flush=True,
            )
    return rows


def for_documents(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the table with a row a link, and for each number of copies what is shown."""
    columns = ["packets lost"]
    for copies in COPIES:
        kbps = next(row["sent_kbps"] for row in rows if row["copies"] == copies)
        columns += [f"{copies} copies ({kbps:.1f} kbps): shown", "in place", "longest"]
    out = []
    for name in LINKS:
        cells = [name]
        for row in (row for row in rows if row["link"] == name):
            cells.append(f"{row['shown'] / row['sent']:.1%}")
            cells.append(f"{row['held'] / row['sent']:.1%}")
            cells.append(f"{row['longest_seconds']:.2f} s")
        out.append(cells)
    wrong = sum(row["wrong"] for row in rows)
    return {"columns": columns, "rows": [*out, ["frames shown wrongly", wrong, *[""] * 8]]}


def walk(count: int, width: int, seed: int = 1) -> Iterator[NDArray[np.float32]]:
    """Yield controls that wander, without end in sight."""
    rng = np.random.default_rng(seed)
    value = np.zeros(width)
    for _ in range(count):
        value = 0.98 * value + rng.normal(0, 0.15, width)
        yield value.astype(np.float32)


def hour(path: Path, minutes: float) -> dict[str, Any]:
    """Push frames through both links; return memory after every tenth, and how far time is off."""
    header, _, person = load(path, 1)
    frames = int(minutes * 60 * RATE)
    stream = ControlsEncoder(header, person, settings=LiveSettings(person_bytes=64))
    datagram = PacketEncoder(header, person)
    over_pipe, over_net = Decoder(), Decoder(datagrams=True)
    memory, slowest = [], 0.0
    last = Fraction(0)
    counted = 0
    for i, row in enumerate(walk(frames, header.num_controls)):
        now = i / RATE
        begin = time.process_time()
        got = over_pipe.feed(stream.push(row, now))
        slowest = max(slowest, time.process_time() - begin)
        for packet in datagram.push(row, now):
            counted += len(over_net.feed(packet))
        last = got[-1].time
        if (i + 1) % (frames // 10) == 0:
            gc.collect()
            memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES)
    assert last == (frames - 1) / RATE and counted >= frames - DEPTH
    return {
        "minutes": minutes,
        "frames": frames,
        "resident_bytes_after_each_tenth": memory,
        "drift_seconds": float(last - (frames - 1) / RATE),
        "slowest_push_and_feed_ms": round(1000 * slowest, 1),
        "peak_resident_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--hour", action="store_true", help="memory and clock instead")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    known = {}
    if options.json and options.json.exists():
        known = json.loads(options.json.read_text())
        known = {
            name: known[name] for name in ("minutes", "rows", "table", "hour") if name in known
        }
    if options.hour:
        known["hour"] = hour(options.stream, options.minutes)
        print(json.dumps(known["hour"], indent=2))
    else:
        rows = table(options.stream, options.minutes)
        known |= {"minutes": options.minutes, "rows": rows, "table": for_documents(rows)}
    minutes = known.get("minutes", options.minutes)
    command = f"python benchmarks/live_loss.py STREAM --minutes {minutes:g}"
    save(options.json, command, **known)


if __name__ == "__main__":
    main()
