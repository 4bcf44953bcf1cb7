"""What a call does after something went wrong, and whether it lasts: recovery and endurance.

    python benchmarks/live_recovery.py clip.fcv --json benchmarks/results/live_recovery.json
    python benchmarks/live_recovery.py clip.fcv --endure 10000 --json RESULTS.json

Input: a stream, whose frames are sent forwards and backwards in turn at 30 a second, one a
datagram, with a key every two seconds. Each row is one thing that happens, at every second of a
minute or at every frame of a key interval, without copies and with two: how many frames were shown
as sent, how many something else stood for, how many were shown wrongly (there must be none), and
the time from the first datagram that comes through again to the first frame that is as it was
sent: mean and longest. It is to be one key interval at most.

--endure: so many minutes' worth of datagrams instead, at 5 frames a second of two controls, five
together, through links of every kind, ten minutes each, to receivers of which each starts again or
joins late. Every frame is compared with what was sent; memory is read after every tenth.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from live_loss import LINKS, PAGE_BYTES, load, walk
from lossy_link import LinkModel
from numpy.typing import NDArray
from saved import save

from facecodec.bitstream import StreamHeader
from facecodec.live import Decoder, LivePerson, LiveSettings, PacketEncoder

RATE = 30  # frames a second
KEY = 60  # frames from key to key
SECONDS = 60
COPIES = (0, 2)
BURSTS = (1, 2, 5, 10, 20, 50)  # datagrams in a row that are lost
PERSON_AGAIN = 5 * RATE  # frames after which the person is sent again
# Of endurance:
SLOW_RATE, FEW_CONTROLS, TOGETHER = Fraction(5), 2, 5
PART_MINUTES = 10
Controls = NDArray[np.float32]


@dataclass
class Row:
    """One thing that happens: frames by what came of them, and frames until one was right again."""

    shown: int = 0
    held: int = 0
    wrong: int = 0
    waits: tuple[int, ...] = ()

    def add(self, packets: Sequence[bytes], sent: Controls, again: int, decoder: Decoder) -> None:
        """Feed what arrives; `again` is the first frame whose datagram does so afterwards."""
        exact: set[int] = set()
        for frame in itertools.chain(*map(decoder.feed, packets), decoder.flush()):
            if frame.recovered:
                self.held += 1
                continue
            exact.add(frame.index)
            self.shown += 1
            self.wrong += not np.array_equal(frame.controls, sent[frame.index])
        right = [index for index in exact if index >= again]
        self.waits += ((min(right) if right else len(sent)) - again,)

    def as_json(self, name: str, copies: int) -> dict[str, Any]:
        """Return it as a row of the results; times in seconds."""
        return {
            "event": name, "copies": copies, "times": len(self.waits), "shown": self.shown,
            "held": self.held, "wrong": self.wrong,
            "mean_wait": round(float(np.mean(self.waits)) / RATE, 3),
            "longest_wait": round(max(self.waits) / RATE, 3),
        }  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A sender's datagrams, one a frame, and the controls [T, K] that they show."""

    packets: list[bytes]
    sent: Controls

    @classmethod
    def of(
        cls, header: StreamHeader, rows: Controls, person: LivePerson, settings: LiveSettings
    ) -> Call:
        """Send frames; a person sent whole before a frame goes with that frame."""
        encoder = PacketEncoder(header, person, settings=settings)
        made = [encoder.push(row, Fraction(i, RATE)) for i, row in enumerate(rows)]
        assert all(len(group) == 1 for group in made[1:])
        packets = [packet for group in made for packet in group]
        decoder = Decoder(datagrams=True)
        frames = [*itertools.chain(*map(decoder.feed, packets)), *decoder.flush()]
        return cls(packets, np.stack([frame.controls for frame in frames]))


def receiver() -> Decoder:
    return Decoder(datagrams=True, depth=2)


def bursts(call: Call, length: int, row: Row) -> None:
    """Lose so many datagrams in a row, from every frame of a key interval on."""
    begin = 4 * KEY
    for at in range(begin, begin + KEY):
        arrives = call.packets[begin - KEY : at] + call.packets[at + length : begin + 4 * KEY]
        row.add(arrives, call.sent, at + length, receiver())


def joins(call: Call, row: Row) -> None:
    """Come late, at every second: a receiver that begins, or begins again."""
    for at in range(0, len(call.packets) - 2 * KEY, RATE):
        row.add(call.packets[at : at + 2 * KEY], call.sent, at, receiver())


def restarts(call: Call, other: Call, row: Row) -> None:
    """The sender begins again at every frame of a key interval: another stream, from frame 0."""
    for at in range(KEY, 2 * KEY):
        decoder = receiver()
        for packet in call.packets[:at]:
            decoder.feed(packet)
        decoder.flush()
        row.add(other.packets[: 2 * KEY], other.sent, 0, decoder)


def identities(header: StreamHeader, rows: Controls, copies: int) -> dict[str, Any]:
    """Lose all of a person's first round but its first datagram; say when they are whole."""
    identity = bytes(range(256)) * 4
    person = LivePerson(identity=b"\0" + identity)
    settings = LiveSettings.for_packets(copies=copies, key_frames=KEY, person_frames=PERSON_AGAIN)
    call = Call.of(header, rows[: 20 * RATE], person, settings)
    first_round = -(-len(identity) // (settings.person_bytes or 1)) + 1
    decoder, shown, known = receiver(), 0, None
    for i, packet in enumerate(call.packets):
        if 0 < i < first_round:
            continue
        shown += sum(not frame.recovered for frame in decoder.feed(packet))
        if known is None and decoder.identity is not None:
            known = i
    assert known is not None
    return {
        "event": "the person's first round lost: until they are whole", "copies": copies,
        "times": 1, "shown": shown, "held": first_round - 1, "wrong": 0,
        "mean_wait": round(known / RATE, 3), "longest_wait": round(known / RATE, 3),
    }  # fmt: skip


def recovery(path: Path) -> list[dict[str, Any]]:
    header, controls, _ = load(path, SECONDS * RATE)
    person = LivePerson(reference=bytes(31) + b"r")
    found = []
    for copies in COPIES:
        settings = LiveSettings.for_packets(copies=copies, key_frames=KEY, person_frames=None)
        call, other = (Call.of(header, controls, person, settings) for _ in range(2))
        events: dict[str, Callable[[Row], None]] = {
            f"{length} lost in a row": partial(bursts, call, length) for length in BURSTS
        }
        events["joined late, or the receiver began again"] = partial(joins, call)
        events["the sender began again"] = partial(restarts, call, other)
        for name, event in events.items():
            row = Row()
            event(row)
            found.append(row.as_json(name, copies))
            print(json.dumps(found[-1]), flush=True)
        found.append(identities(header, controls, copies))
        print(json.dumps(found[-1]), flush=True)
    return found


def parts(header: StreamHeader) -> Iterator[Call]:
    """Yield ten minutes of a sender, with every number of copies."""
    frames = int(PART_MINUTES * 60 * SLOW_RATE)
    rows = np.stack(list(walk(frames, FEW_CONTROLS)))
    for copies in (0, 1, 2, 4):
        settings = LiveSettings.for_packets(copies=copies, segment_frames=TOGETHER, key_frames=KEY)
        encoder = PacketEncoder(header, LivePerson(identity=bytes(1 << 11)), settings=settings)
        packets = [p for i, row in enumerate(rows) for p in encoder.push(row, i / SLOW_RATE)]
        packets += encoder.close()
        decoder = Decoder(datagrams=True)
        frames_back = [*itertools.chain(*map(decoder.feed, packets)), *decoder.flush()]
        yield Call(packets, np.stack([frame.controls for frame in frames_back]))


def endure(path: Path, minutes: float) -> dict[str, Any]:
    """Send so many minutes' worth of datagrams through all links; raise for a wrong frame."""
    header, _, _ = load(path, 1)
    header = replace(
        header, frame_rate=SLOW_RATE, control_steps=header.control_steps[:FEW_CONTROLS]
    )
    calls = list(parts(header))
    links = [*LINKS.values(), LinkModel(0.5), LinkModel(0.3, 50, late=0.3, doubled=0.3)]
    rounds, row = round(minutes / PART_MINUTES), Row()
    memory, datagrams, begin = [], 0, time.process_time()
    for i in range(rounds):
        call, link = calls[i % len(calls)], links[(i // len(calls)) % len(links)]
        late = 137 * i % len(call.packets) if i % 3 == 0 else 0
        arrived = list(link.through(call.packets[late:], seed=i))
        datagrams += len(call.packets) - late
        row.waits = ()
        row.add(arrived, call.sent, 0, receiver())
        if (i + 1) % max(rounds // 10, 1) == 0:
            gc.collect()
            memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES)
            print(f"{(i + 1) * PART_MINUTES} minutes, {memory[-1] >> 20} MiB", flush=True)
    assert row.wrong == 0
    return {
        "minutes": rounds * PART_MINUTES,
        "datagrams": datagrams,
        "frames_shown": row.shown,
        "frames_held": row.held,
        "frames_wrong": row.wrong,
        "resident_bytes_after_each_tenth": memory,
        "peak_resident_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "processor_seconds": round(time.process_time() - begin, 1),
    }


def for_documents(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the table: a row an event, and for each number of copies what came of it."""
    columns = ["what happens"]
    for copies in COPIES:
        columns += [f"{copies} copies: held a time", "back after, mean", "longest"]
    out = []
    for name in dict.fromkeys(row["event"] for row in rows):
        cells = [name]
        for row in (row for row in rows if row["event"] == name):
            cells.append(f"{row['held'] / row['times']:.1f}")
            cells += [f"{row['mean_wait']:.2f} s", f"{row['longest_wait']:.2f} s"]
        out.append(cells)
    wrong = str(sum(row["wrong"] for row in rows))
    return {"columns": columns, "rows": [*out, ["frames shown wrongly", wrong, *[""] * 5]]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("--endure", type=float, metavar="MINUTES", help="endurance instead")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    known = {}
    if options.json and options.json.exists():
        known = json.loads(options.json.read_text())
        known = {name: known[name] for name in ("rows", "table", "endurance") if name in known}
    if options.endure:
        known["endurance"] = endure(options.stream, options.endure)
        print(json.dumps(known["endurance"], indent=2))
    else:
        rows = recovery(options.stream)
        known |= {"rows": rows, "table": for_documents(rows)}
    save(options.json, "python benchmarks/live_recovery.py STREAM", **known)


if __name__ == "__main__":
    main()
