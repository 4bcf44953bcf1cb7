"""A call over UDP on this machine, in real time: sender, a relay that loses packets, receiver.

    python benchmarks/live_demo.py talk.fcv --seconds 10
    python benchmarks/live_demo.py --clip talk.mp4 --person who.fci
    make live-demo

Sends the motion of a stream (by default a toy one of the tests) frame by frame to a relay on
127.0.0.1, which loses a share of the datagrams and holds each back for a while, so that some
overtake others; a receiver decodes what arrives. Prints the rate, what was lost and shown, and how
long a frame takes: to become bytes, and from there until the receiver gives it out. Nothing is
tracked and nothing drawn: the times are those of coding and of the link.

With a clip and its person, `facecodec live send` and `facecodec live receive` do the same with
pictures, each in a process of its own: tracked, sent, lost in part, drawn, and written to a file.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from saved import save

from facecodec.bitstream import FrameRecord, open_stream
from facecodec.live import Decoder, LivePerson, PacketEncoder

HOST = "127.0.0.1"
TOY = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "streams" / "long.fcv"
MOST_BYTES = 65535  # of a datagram
POLL_SECONDS = 0.002
SILENCE_SECONDS = 60  # after which the receiver of pictures gives up
DEPTH = 3  # frames that the receiver waits for late ones
TIME_BASE = Fraction(1, 90000)
# Of sender and receiver, who share this machine: one thread each for what torch and the kernels do.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


@dataclass
class Tally:
    """What the three saw; times are of one clock, by the number of the frame."""

    pushed: dict[int, float] = field(default_factory=dict)
    sent: dict[int, float] = field(default_factory=dict)
    shown: dict[int, float] = field(default_factory=dict)
    recovered: int = 0
    datagrams: int = 0
    lost: int = 0
    bytes: int = 0


def relay(
    inward: socket.socket, to: int, loss: float, jitter: float, over: threading.Event, tally: Tally
) -> None:
    """Pass datagrams on to port `to`, all but a share of them, up to `jitter` seconds later."""
    dice, held, count = random.Random(1), list[tuple[float, int, bytes]](), itertools.count()
    inward.settimeout(POLL_SECONDS)
    while held or not over.is_set():
        try:
            data = inward.recv(MOST_BYTES)
            tally.datagrams += 1
            if dice.random() < loss:
                tally.lost += 1
            else:
                due = time.perf_counter() + dice.random() * jitter
                heapq.heappush(held, (due, next(count), data))
        except TimeoutError:
            pass
        while held and held[0][0] <= time.perf_counter():
            inward.sendto(heapq.heappop(held)[2], (HOST, to))


def receive(outward: socket.socket, over: threading.Event, tally: Tally) -> None:
    """Decode what arrives."""
    decoder = Decoder(datagrams=True, depth=DEPTH)
    outward.settimeout(10 * POLL_SECONDS)
    while True:
        try:
            frames = decoder.feed(outward.recv(MOST_BYTES))
        except TimeoutError:
            if not over.is_set():
                continue
            frames = decoder.flush()
        now = time.perf_counter()
        for frame in frames:
            tally.recovered += frame.recovered
            tally.shown[frame.index] = now
        if over.is_set() and not frames:
            return


def send(
    encoder: PacketEncoder, frames: list[FrameRecord], rate: Fraction, to: int, tally: Tally
) -> None:
    """Push each frame at its time, and send what that gives."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        begin = time.perf_counter()
        for i, frame in enumerate(frames):
            time.sleep(max(begin + float(i / rate) - time.perf_counter(), 0))
            tally.pushed[i] = time.perf_counter()
            packets = encoder.push(frame.controls, i / rate, frame.flags, frame.placement)
            tally.sent[i] = time.perf_counter()
            for packet in packets:
                tally.bytes += len(packet)
                out.sendto(packet, (HOST, to))
        for packet in encoder.close():
            out.sendto(packet, (HOST, to))


def call(path: Path, seconds: float, loss: float, jitter: float) -> tuple[Tally, int, Fraction]:
    """Return what came of a call, its number of frames, and frames a second."""
    with open_stream(path) as stream:
        clip, person = list(stream), LivePerson.from_stream(stream)
        rate = stream.header.frame_rate or Fraction(25)
        header = replace(stream.header, frame_rate=rate, time_base=TIME_BASE, metadata={})
        header = replace(header, precision="quantised")
    count = round(seconds * rate)
    frames = list(itertools.islice(itertools.cycle([*clip, *clip[::-1]]), count))
    over, tally = threading.Event(), Tally()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as middle,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end,
    ):
        for inward in (middle, end):
            inward.bind((HOST, 0))
        to = end.getsockname()[1]
        threads = [
            threading.Thread(target=relay, args=(middle, to, loss, jitter, over, tally)),
            threading.Thread(target=receive, args=(end, over, tally)),
        ]
        for thread in threads:
            thread.start()
        try:
            send(PacketEncoder(header, person), frames, rate, middle.getsockname()[1], tally)
            time.sleep(2 * jitter + 10 * POLL_SECONDS)
        finally:
            over.set()
            for thread in threads:
                thread.join()
    return tally, count, rate


def pictures(options: argparse.Namespace) -> dict[str, Any]:
    """Return what came of a call with pictures: what each side says, and the relay."""
    over, tally = threading.Event(), Tally()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as middle:
        middle.bind((HOST, 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((HOST, 0))
            to = free.getsockname()[1]
        passing = threading.Thread(
            target=relay, args=(middle, to, options.loss, options.jitter, over, tally)
        )
        passing.start()
        run = [sys.executable, "-m", "facecodec", "live"]
        words = ["receive", f"udp://{HOST}:{to}", "--out", options.out, "--size", options.size]
        given = ["--depth", DEPTH, "--silence", SILENCE_SECONDS, "--json", "-q", "-f"]
        receiver = subprocess.Popen(
            [*run, *map(str, words + given)], stdout=subprocess.PIPE, env=ONE_THREAD
        )
        try:
            address = f"udp://{HOST}:{middle.getsockname()[1]}"
            words = ["send", options.clip, "--to", address, "--identity", options.person]
            sender = subprocess.run(
                [*run, *map(str, [*words, "--json", "-q"])],
                stdout=subprocess.PIPE,
                check=True,
                env=ONE_THREAD,
            )
            shown = json.loads(receiver.communicate(timeout=SILENCE_SECONDS + 10)[0])
        finally:
            over.set()
            passing.join()
            receiver.kill()
    return {
        "sent": json.loads(sender.stdout),
        "shown": shown,
        "relay": {"datagrams": tally.datagrams, "lost": tally.lost},
        "loss": options.loss,
        "jitter_seconds": options.jitter,
        "size": options.size,
    }


def tell_pictures(made: dict[str, Any]) -> None:
    """Print what came of a call with pictures."""
    sent, shown, link = made["sent"], made["shown"], made["relay"]
    total = sent["frames"] + sent["dropped"]
    print(
        f"{total} frames of the clip: {sent['frames']} sent in {sent['seconds']:.1f} s, "
        f"{sent['dropped']} dropped because tracking took too long; {sent['kbps']:.1f} kbps "
        "with sound and person, without IP and UDP"
    )
    print(
        f"{sent['hurried']} frames tracked in one step, {sent['predicted']} without a look at what "
        f"it leads to, {sent['held']} sent like the one before, because tracking took too long"
    )
    print(f"{link['datagrams']} datagrams, {link['lost']} lost on purpose")
    print(
        f"{shown['pictures']} pictures of {made['size']} pixels drawn, {shown['recovered']} of "
        f"them in the place of lost frames, {shown['missing']} frames not at all, "
        f"{shown['dropped']} dropped because drawing took too long; {shown['sketched']} less sharp "
        f"because whole ones took too long, {shown['quick']} of them drawn at 128 pixels"
    )
    for name, key, side in (
        ("capture to bytes", "capture_to_bytes", sent),
        ("bytes to picture", "bytes_to_picture", shown),
    ):
        took = side[key]
        print(f"{name}: median {took['median']:.0f} ms, 95 % within {took['most']:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("stream", nargs="?", type=Path, default=TOY)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--loss", type=float, default=0.05, help="share of datagrams lost")
    parser.add_argument("--jitter", type=float, default=0.02, help="seconds, at most")
    parser.add_argument("--clip", type=Path, help="send this with pictures instead")
    parser.add_argument("--person", type=Path, help="the .fci file of who is in it")
    parser.add_argument("--size", type=int, default=512, help="side of the pictures drawn")
    parser.add_argument("--out", type=Path, default=Path("live.mkv"))
    parser.add_argument("--json", type=Path, help="write the figures of the clip here")
    options = parser.parse_args()
    if options.clip:
        made = pictures(options)
        tell_pictures(made)
        save(options.json, "make live-demo", **made)
        return
    tally, count, rate = call(options.stream, options.seconds, options.loss, options.jitter)
    coding = [1000 * (tally.sent[i] - tally.pushed[i]) for i in range(count)]
    link = sorted(1000 * (tally.shown[i] - tally.sent[i]) for i in range(count) if i in tally.shown)
    kbps = tally.bytes * 8 / 1000 / (count / float(rate))
    print(f"{count} frames at {float(rate):g} a second, {kbps:.1f} kbps without IP and UDP")
    print(f"{tally.datagrams} datagrams, {tally.lost} lost on purpose")
    print(
        f"{len(tally.shown) - tally.recovered} frames as they were sent, "
        f"{tally.recovered} in the place of lost ones, {count - len(tally.shown)} not at all"
    )
    print(
        f"controls to bytes: median {statistics.median(coding):.1f} ms, most {max(coding):.1f} ms"
    )
    print(
        f"bytes to a frame: median {statistics.median(link):.1f} ms, "
        f"95 % within {link[int(0.95 * len(link))]:.1f} ms"
    )


if __name__ == "__main__":
    main()
