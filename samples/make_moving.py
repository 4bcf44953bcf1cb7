"""Make docs/sample.webp: the sample beside what its stream decodes to, as a moving picture.

    python samples/make_moving.py [--stream sample.fcv] [OUT.webp]

Without a stream the sample is encoded first, which takes minutes. The left side is the frame as it
was filmed, the right side the aligned square as it is decoded.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np

import facecodec
from facecodec.cli.progress import shown
from facecodec.face.crop import resize
from facecodec.video.reader import VideoReader

ROOT = Path(__file__).resolve().parent.parent
EVERY = 2  # frames of the sample: 12.5 pictures a second
WIDTH, HEIGHT = 400, 300  # of the left side; the right one is square
QUALITY = "65"  # of WebP, 0 to 100


def pairs(source: Path, decoded: Path) -> Iterator[np.ndarray]:
    """Yield every `EVERY`th frame, uint8 [HEIGHT, WIDTH + HEIGHT, 3]: source, then decoded."""
    with VideoReader(source) as before, VideoReader(decoded) as after:
        both = zip(before.frames(), after.frames(), strict=True)
        for a, b in islice(both, 0, None, EVERY):
            left, right = resize(a.image, (WIDTH, HEIGHT)), resize(b.image, (HEIGHT, HEIGHT))
            yield np.concatenate([left, right], axis=1)


def write(pictures: Iterator[np.ndarray], output: Path) -> None:
    """Write pictures as an animated WebP that repeats for ever."""
    with av.open(str(output), "w", format="webp", options={"loop": "0"}) as out:
        options = {"quality": QUALITY, "compression_level": "6"}
        video = out.add_stream("libwebp_anim", rate=Fraction(25, EVERY), options=options)
        video.width, video.height, video.pix_fmt = WIDTH + HEIGHT, HEIGHT, "yuv420p"
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = i
            out.mux(video.encode(frame))
        out.mux(video.encode(None))


def main() -> None:
    """Encode, decode, and write both side by side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("output", nargs="?", type=Path, default=ROOT / "docs" / "sample.webp")
    parser.add_argument("--stream", type=Path, help="made of the sample already")
    given = parser.parse_args()
    source = ROOT / "samples" / "sample.mp4"
    with tempfile.TemporaryDirectory() as folder, shown() as progress:
        stream, decoded = given.stream, Path(folder) / "decoded.mp4"
        if stream is None:
            stream = Path(folder) / "sample.fcv"
            facecodec.encode(source, stream, progress=progress)
        facecodec.decode(stream, decoded, size=512, progress=progress)
        write(pairs(source, decoded), given.output)
    print(f"{given.output}: {given.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
