"""Encode and decode the sample, and say what came of it: the end of `make demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import facecodec
from facecodec.bitstream import StreamReader
from facecodec.cli.progress import shown
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.metrics.pictures import psnr
from facecodec.video.reader import VideoReader
from facecodec.video.writer import encode_png

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / ".demo"
SHOWN = 256
COLUMNS = 6


def seen(square: Alignment, width: int, height: int) -> np.ndarray:
    """Return which pixels of the aligned square the camera saw, bool [SHOWN, SHOWN]."""
    axis = (np.arange(SHOWN) + 0.5) / SHOWN
    unit = np.stack([*np.meshgrid(axis, axis), np.ones((SHOWN, SHOWN))], -1)
    points = unit @ square.corner_matrix().T
    inside: np.ndarray = np.all((points >= 0) & (points <= (width, height)), axis=-1)
    return inside


def compare(source: Path, stream: Path, decoded: Path) -> tuple[float, np.ndarray]:
    """Return the mean PSNR of the aligned squares at 256x256 and a side-by-side picture.

    What lies outside the source's frame is neither measured nor shown.
    """
    qualities, rows = [], []
    with VideoReader(source) as before, VideoReader(decoded) as after:
        frames = facecodec.open_stream(stream)
        total = frames.index().frames
        wanted = set(np.linspace(0, total - 1, COLUMNS).astype(int).tolist())
        for frame, a, b in zip(frames, before.frames(), after.frames(), strict=True):
            assert frame.placement is not None
            square = Alignment.from_array(frame.placement)
            left = crop(a.image, square, SHOWN)
            whole = Alignment(b.image.shape[1] / 2, b.image.shape[0] / 2, b.image.shape[0], 0.0)
            right = crop(b.image, whole, SHOWN)
            inside = seen(square, before.width, before.height)
            qualities.append(psnr(left, right, inside))
            if frame.index in wanted:
                rows.append(np.concatenate([left * inside[..., None], right]))
    return float(np.mean(qualities)), np.concatenate(rows, axis=1)


def main(source: Path) -> None:
    """Run the demo on `source`."""
    OUT.mkdir(exist_ok=True)
    stream, decoded, picture = (OUT / name for name in ("demo.fcv", "demo.mp4", "compare.png"))
    with shown() as progress:
        encoded = facecodec.encode(source, stream, force=True, progress=progress)
        rendered = facecodec.decode(stream, decoded, force=True, progress=progress)
    quality, sheet = compare(source, stream, decoded)
    picture.write_bytes(encode_png(sheet))
    with stream.open("rb") as file:
        rate = StreamReader(file).rate_split()
    table = Table(box=SIMPLE_HEAD, show_header=False)
    for name, value in (
        ("frames", f"{encoded.frames}"),
        ("seconds", f"{encoded.duration:.2f}"),
        ("bytes: identity", f"{rate.identity_bytes}"),
        ("bytes: tuning", f"{rate.tuning_bytes}"),
        ("bytes: motion", f"{rate.controls_bytes + rate.placement_bytes}"),
        ("bytes: audio", f"{rate.audio_bytes}"),
        ("bytes: container", f"{rate.container_bytes}"),
        ("motion rate", f"{8 * rate.controls_bytes / 1000 / encoded.duration:.2f} kbps"),
        ("whole stream", f"{encoded.kbps:.2f} kbps"),
        ("encoding", f"{sum(encoded.stages.values()):.0f} s, of which"),
        *((f"  {stage}", f"{seconds:.1f} s") for stage, seconds in encoded.stages.items()),
        ("rendering", f"{1000 * rendered.rendering / rendered.frames:.0f} ms a frame"),
        ("quality", f"{quality:.1f} dB PSNR, what the source shows of the square, {SHOWN}x{SHOWN}"),
        ("decoded video", str(decoded)),
        ("side by side", f"{picture} (source above, decoded below)"),
    ):
        table.add_row(name, value)
    Console(soft_wrap=True, highlight=False).print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "sample.mp4")
