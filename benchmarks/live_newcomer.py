"""A call with somebody nobody has enrolled: how soon they are seen, and how well by and by.

    python benchmarks/live_newcomer.py talk.mp4 --seconds 180

Input: a clip of a person, which is shown forwards and backwards in turn to `facecodec live send`
without a person, at 25 frames a second of the clock, as a camera would. Its stream is read from a
pipe. Of each stage of the person: when it was first sent, in seconds after the first picture, and
how near it is: the mean PSNR of the face against the aligned square at 256x256 pixels, and of a
tracker's stage those of the frames that it tracked. The first picture is drawn when the first
frame has come, which takes as long as is said.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from saved import save

from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.face.mask import face_mask
from facecodec.live import LiveFrame
from facecodec.live.pictures import PictureDecoder
from facecodec.metrics.pictures import psnr
from facecodec.models import landmark_finder
from facecodec.process import module_command
from facecodec.types import Picture
from facecodec.video.reader import VideoReader

RATE = Fraction(25)
MOST_FRAMES = 250  # of the clip
SIZE = 256
LOOKED = 12  # frames of a stage that are compared
PIPE_BYTES = 1 << 8


def shown(frames: list[Picture], to: IO[bytes], seconds: float) -> None:
    """Write frames [H, W, 3] to a pipe at their pace."""
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    try:
        to.write(frames[0].tobytes())  # until it is read, as by then the sender is ready
        begin = time.perf_counter()
        taken = itertools.islice(itertools.cycle(order), 1, int(seconds * RATE))
        for i, which in enumerate(taken, 1):
            time.sleep(max(begin + float(i / RATE) - time.perf_counter(), 0))
            to.write(frames[which].tobytes())
            to.flush()
        to.close()
    except (BrokenPipeError, ValueError):
        return


def call(frames: list[Picture], seconds: float) -> tuple[bytes, dict[str, Any]]:
    """Return the stream of a call, and what its sender says of it."""
    height, width = frames[0].shape[:2]
    words = ["live", "send", "-", "--raw", f"{width}x{height}:rgb24", "--fps", str(RATE)]
    with subprocess.Popen(
        module_command("facecodec", *words, "--to", "-", "--json", "-q"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as sender:  # fmt: skip
        assert sender.stdin and sender.stdout and sender.stderr
        feeding = threading.Thread(target=shown, args=(frames, sender.stdin, seconds), daemon=True)
        feeding.start()
        data = sender.stdout.read()
        said = sender.stderr.read().decode()
    if sender.returncode:
        sys.exit(said)
    return data, json.loads(said[said.index("{") :])


def source_of(frame: LiveFrame, frames: list[Picture]) -> Picture:
    """Return the frame of the clip that a frame of the stream is of."""
    turn = round(frame.time * RATE) % (2 * len(frames) - 2)
    return frames[min(turn, 2 * len(frames) - 2 - turn)]


def nearness(data: bytes, frames: list[Picture]) -> dict[str, float]:
    """Return the mean PSNR of the face by stream and by who is seen, some frames of each."""
    viewer, find = PictureDecoder(size=SIZE), landmark_finder()
    by_stream: dict[bytes, list[tuple[LiveFrame, Any]]] = {}
    for at in range(0, len(data), PIPE_BYTES):
        for frame in viewer.decoder.feed(data[at : at + PIPE_BYTES]):
            by_stream.setdefault(frame.stream_id, []).append((frame, viewer.avatar()))
    found = {}
    for number, known in enumerate(by_stream.values()):
        # of the first stream, its beginning and its end: tracked by landmarks, then by pictures
        parts = {"": known} if number else {" first": known[:LOOKED], " last": known[-100:]}
        for name, part in parts.items():
            values = []
            for frame, avatar in part[:: max(len(part) // LOOKED, 1)]:
                assert frame.placement is not None
                square = Alignment(*map(float, frame.placement))
                wanted = crop(source_of(frame, frames), square, SIZE)
                find.reset()
                points = find(wanted)
                if points is not None:
                    drawn = avatar.render(frame.controls[None], SIZE)[0]
                    values.append(psnr(drawn, wanted, face_mask(points, SIZE)))
            found[f"stream {number + 1}{name}"] = round(float(np.mean(values)), 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--stream", type=Path, help="keep the stream")
    options = parser.parse_args()
    with VideoReader(options.clip) as reader:
        frames = [frame.image for frame in reader.frames(None, None, MOST_FRAMES)]
    data, said = call(frames, options.seconds)
    if options.stream:
        options.stream.write_bytes(data)
    print(json.dumps(said, indent=2))
    near = nearness(data, frames)
    for name, value in near.items():
        print(f"{name}: {value} dB")
    command = f"python benchmarks/live_newcomer.py CLIP --seconds {options.seconds:g}"
    save(options.json, command, sent=said, psnr=near)


if __name__ == "__main__":
    main()
