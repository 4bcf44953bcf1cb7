"""A clip and its stream, forward and backward in turn, for as many seconds as are wanted.

    python benchmarks/mirrored.py CLIP STREAM DIR --seconds 60

Clips of heads last some seconds, and a person is paid once: what a minute costs is measured on a
minute. `DIR/CLIP.mp4` has the pictures that the stream is of, from the first to the last, back to
the first and so on (x264, crf 10); `DIR/CLIP.fcv` the stream's motion in the same order, which is
coded again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path

from facecodec.bitstream import FrameRecord, open_stream
from facecodec.decoding.rewrite import copy_beginning, write_items
from facecodec.video.coding import Writing
from facecodec.video.container_sink import ContainerSink
from facecodec.video.reader import VideoReader

SHARP = Writing(crf=10)  # hardly more loss than the clip has


def to_and_fro(length: int, count: int) -> Iterator[int]:
    """Yield `count` numbers below `length` that go up and down in turn."""
    at, step = 0, 1
    for _ in range(count):
        yield at
        if not 0 <= at + step < length:
            step = -step
        at += step if length > 1 else 0


def main() -> None:
    """Write the clip and the stream."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("stream", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=Fraction, default=Fraction(60))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with open_stream(given.stream) as stream, VideoReader(given.clip) as reader:
        records, header = list(stream.frames()), stream.header
        rate, base = header.frame_rate or Fraction(25), header.time_base
        step = round(1 / rate / base)
        pictures = [frame.image for frame in reader.frames(None, None, len(records))]
        order = list(to_and_fro(len(records), int(given.seconds * rate)))
        output = given.folder / f"{given.clip.stem}.mp4"
        size = (header.width, header.height)
        with ContainerSink(output, size, base, rate, None, {}, SHARP) as sink:
            for number, at in enumerate(order):
                sink.write(pictures[at], number * step)

        def items() -> Iterator[FrameRecord]:
            for number, at in enumerate(order):
                yield replace(records[at], index=number, pts=number * step)

        begin = partial(copy_beginning, stream)
        frames, _, written = write_items(output.with_suffix(".fcv"), header, begin, items())
    print(f"{output}: {frames} frames, the stream {written} bytes")


if __name__ == "__main__":
    main()
