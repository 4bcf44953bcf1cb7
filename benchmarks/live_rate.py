"""The rate of live streams: how many frames are sent together, by how many kilobits a second.

    python benchmarks/live_rate.py clip.fcv other.fcv --json benchmarks/results/live_rate.json

Input: streams, best of exact controls (`facecodec encode --live --precision f32`), quantised here
by the steps that suit their persons, as `facecodec live send` does. Frames of each, forwards and
backwards in turn up to 300, are sent at 30 frames a second, once over a pipe and once in datagrams
without copies, with a key every five seconds or two. Counted is all that frames cost: segments with
their heads and checks. Header, person, and what IP and UDP put around a datagram, are not. `whole`
is the same in segments of five seconds, as files have them.
"""

from __future__ import annotations

import argparse
import io
import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from saved import save

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import FrameRecord, StreamHeader, StreamReader, StreamWriter, open_stream
from facecodec.bitstream.container import chunks
from facecodec.bitstream.container.chunks import Chunk
from facecodec.bitstream.container.packet import Loose, split_packet
from facecodec.live import ControlsEncoder, LivePerson, LiveSettings, PacketEncoder
from facecodec.live.tracker import PersonTracker

RATE = Fraction(30)
TIME_BASE = Fraction(1, 90000)
FRAMES = 300
SEGMENTS = (1, 2, 3, 5, 10)  # frames
KEYS = (150, 60)  # frames from key to key


def frame_bytes(data: bytes) -> int:
    """Return the bytes of the segments of a stream."""
    found = StreamReader(io.BytesIO(data), "stream").all_chunks()
    kinds = (chunks.SEGMENT, chunks.CONTINUED)
    return sum(c.size for c in found if isinstance(c, Chunk) and c.type in kinds)


def over_a_pipe(
    header: StreamHeader, frames: list[FrameRecord], person: LivePerson, settings: LiveSettings
) -> int:
    encoder = ControlsEncoder(header, person, settings=settings)
    out = [
        encoder.push(frame.controls, i / RATE, frame.flags, frame.placement)
        for i, frame in enumerate(frames)
    ]
    return frame_bytes(b"".join([*out, encoder.close()]))


def in_datagrams(
    header: StreamHeader, frames: list[FrameRecord], person: LivePerson, settings: LiveSettings
) -> int:
    encoder = PacketEncoder(header, person, settings=settings)
    seed, total = None, 0
    packets = [
        encoder.push(frame.controls, i / RATE, frame.flags, frame.placement)
        for i, frame in enumerate(frames)
    ]
    for packet in itertools.chain(*packets, encoder.close()):
        for item in split_packet(packet, seed):
            if isinstance(item, Loose):
                total += item.head.taken + len(item.body) + len(item.check)
            elif item.type == chunks.STREAM_MAGIC:
                seed = item.crc
            elif item.type == chunks.SEGMENT:
                total += item.size
    return total


def as_a_file(header: StreamHeader, frames: list[FrameRecord], person: LivePerson) -> int:
    file = io.BytesIO()
    with StreamWriter(file, header) as writer:
        writer.write_identity_payload(person.identity or b"")
        for i, frame in enumerate(frames):
            pts = int(i / (RATE * TIME_BASE))
            writer.write_frame(pts, frame.controls, frame.placement, frame.flags)
    return frame_bytes(file.getvalue())


def measure(path: Path) -> dict[str, Any]:
    stream = open_stream(path)
    header = replace(
        stream.header, precision="quantised", frame_rate=RATE, time_base=TIME_BASE, metadata={}
    )
    clip, person = list(stream), LivePerson.from_stream(stream)
    quantiser = PersonTracker(Avatar.from_stream(stream), any_face=True).quantiser()
    header = replace(header, control_steps=quantiser.steps)
    frames = list(itertools.islice(itertools.cycle([*clip, *clip[::-1]]), FRAMES))
    frames = [replace(frame, controls=quantiser(frame.controls)) for frame in frames]

    def kbps(size: int) -> float:
        return round(size * 8 * float(RATE) / len(frames) / 1000, 3)

    rows = {}
    for key in KEYS:
        for count in SEGMENTS:
            settings = LiveSettings(segment_frames=count, key_frames=key)
            rows[f"{count} frames, key {key}"] = {
                "pipe": kbps(over_a_pipe(header, frames, person, settings)),
                "datagrams": kbps(in_datagrams(header, frames, person, settings)),
            }
    return {
        "clip": path.stem,
        "frames": len(clip),
        "whole": kbps(as_a_file(header, frames, person)),
        "kbps": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("streams", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    results = [measure(path) for path in options.streams]
    for result in results:
        print(f"{result['clip']}: {result['frames']} frames, whole {result['whole']:.2f} kbps")
        for name, rates in result["kbps"].items():
            print(f"  {name:20} pipe {rates['pipe']:5.2f}  datagrams {rates['datagrams']:5.2f}")
    command = "python benchmarks/live_rate.py STREAMS --json benchmarks/results/live_rate.json"
    save(options.json, command, table=table(results), clips=results)


def table(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rates as a table for documents: of each clip over a pipe, and all means."""

    def row(clip: str, link: str, key: int, of: list[dict[str, Any]]) -> list[str]:
        rates = [
            [one["kbps"][f"{count} frames, key {key}"][link] for count in SEGMENTS] for one in of
        ]
        means = [sum(column) / len(of) for column in zip(*rates, strict=True)]
        whole = sum(one["whole"] for one in of) / len(of)
        cells = [f"{rate:.2f}" for rate in [whole, *means]]
        return [clip, link, f"{key / float(RATE):g} s", *cells]

    rows = [row(result["clip"], "pipe", KEYS[0], [result]) for result in results]
    for key, link in itertools.product(KEYS, ("pipe", "datagrams")):
        rows.append(row("mean", link, key, results))
    columns = ["kbps at 30 frames a second", "link", "keys every", "file", "1 frame"]
    return {"columns": [*columns, *(f"{count} frames" for count in SEGMENTS[1:])], "rows": rows}


if __name__ == "__main__":
    main()
