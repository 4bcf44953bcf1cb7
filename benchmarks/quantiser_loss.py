"""What quantising costs in the picture: PSNR against the source, before and after.

    python benchmarks/quantiser_loss.py talk.fcv=talk.mp4 other.fcv=other.mp4 --every 5

Input: streams of exact controls (`facecodec encode --precision f32`), each with its source video.
Every picture is rendered whole and compared with the aligned source at 256x256, over the inner
face (the middle 60 % of the square each way). Two tables: controls at several qualities, with the
identity exact; and the identity at several steps, with the controls exact.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import (
    FrameRecord,
    StreamHeader,
    StreamReader,
    StreamWriter,
    control_steps,
    open_stream,
    pack_identity,
)
from facecodec.bitstream.coding.identity import parse_identity
from facecodec.bitstream.coding.steps import from_levels, to_levels
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.metrics.pictures import psnr
from facecodec.rig.rig import Rig
from facecodec.video.reader import VideoReader
from facecodec.workshop.machine import machine

PIXELS = 256
INNER = slice(PIXELS // 5, PIXELS - PIXELS // 5)


def sources(video: Path, frames: list[FrameRecord]) -> Iterator[NDArray[np.uint8]]:
    """Yield the inner face [S, S, 3] of the aligned source for each frame."""
    wanted = {frame.pts: frame for frame in frames}
    with VideoReader(video) as reader:
        for picture in reader.frames():
            frame = wanted.get(picture.pts)
            if frame is not None and frame.placement is not None:
                square = Alignment.from_array(frame.placement)
                yield crop(picture.image, square, PIXELS)[INNER, INNER]
            if picture.pts >= frames[-1].pts:
                return


def mean_psnr(
    avatar: Avatar, controls: NDArray[np.float32], faces: list[NDArray[np.uint8]]
) -> float:
    """Return the mean PSNR of the rendered controls [T, K] against squares [S, S, 3]."""
    got = [
        psnr(avatar.render(row[None], PIXELS)[0][INNER, INNER], face)
        for row, face in zip(controls, faces, strict=True)
    ]
    return float(np.mean(got))


def coded_size(
    stream: StreamReader, controls: NDArray[np.float32], rig: Rig, quality: int
) -> tuple[int, NDArray[np.float32]]:
    """Return the bytes of the controls [T, K] at a quality, and the steps [K]."""
    fields = dict(stream.header.__dict__)
    fields |= {
        "precision": "quantised",
        "quality": quality,
        "control_steps": control_steps(rig.steps, quality),
    }
    header = StreamHeader(**fields)
    file = io.BytesIO()
    with StreamWriter(file, header) as writer:
        writer.write_identity_payload(b"\1" + bytes(4 * header.num_ws * header.w_dim))
        for pts, row in enumerate(controls):
            writer.write_frame(pts, row)
    file.seek(0)
    return StreamReader(file).rate_split().controls_bytes, header.control_steps


def measure(
    path: Path,
    video: Path,
    every: int,
    qualities: list[int],
    identity_steps: list[float],
    rig_file: Path | None,
) -> dict[str, Any]:
    """Return the figures of one clip."""
    stream = open_stream(path)
    if stream.header.precision != "f32":
        raise SystemExit(f"{path}: needs exact controls: encode with --precision f32")
    avatar = Avatar.from_stream(stream, rig=rig_file, device="cpu")
    mean, w_plus = avatar.model.mean, avatar.latent
    untuned = Avatar(avatar.model, w_plus)
    frames = list(stream)
    controls = np.stack([frame.controls for frame in frames])
    faces = list(sources(video, frames[::every]))
    exact = mean_psnr(untuned, controls[::every], faces)
    result: dict[str, Any] = {"clip": path.stem, "frames": len(frames), "psnr": exact}
    result["controls"] = []
    for quality in qualities:
        size, steps = coded_size(stream, controls, avatar.rig, quality)
        rounded = from_levels(to_levels(controls, steps), steps)
        got = mean_psnr(untuned, rounded[::every], faces)
        row = {"quality": quality, "bytes_a_frame": size / len(frames), "loss_db": exact - got}
        result["controls"].append(row)
    result["identity"] = []
    for step in identity_steps:
        payload = pack_identity(w_plus, mean, step)
        again = parse_identity(payload, len(w_plus), w_plus.shape[1], mean)
        got = mean_psnr(Avatar(avatar.model, again), controls[::every], faces)
        row = {"step": step, "bytes": len(payload), "loss_db": exact - got}
        result["identity"].append(row)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("pairs", nargs="+", metavar="STREAM=VIDEO")
    parser.add_argument("--every", type=int, default=5, help="look at every n-th frame")
    parser.add_argument("--qualities", default="40,50,60,70,80")
    parser.add_argument("--identity-steps", default="0.03,0.06,0.09,0.12")
    parser.add_argument("--rig", type=Path, help="the rig, where it is not the shipped one")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    qualities = [int(text) for text in options.qualities.split(",") if text]
    steps = [float(text) for text in options.identity_steps.split(",") if text]
    results = []
    for pair in options.pairs:
        path, _, video = pair.rpartition("=")
        result = measure(Path(path), Path(video), options.every, qualities, steps, options.rig)
        results.append(result)
        print(f"{result['clip']}: {result['frames']} frames, {result['psnr']:.2f} dB exact")
        for row in result["controls"]:
            print(f"  quality {row['quality']:3}: {row['bytes_a_frame']:6.2f} bytes a frame, "
                  f"{row['loss_db']:+.3f} dB lost", flush=True)  # fmt: skip
        for row in result["identity"]:
            print(f"  identity step {row['step']:.3f}: {row['bytes']:6} bytes, "
                  f"{row['loss_db']:+.3f} dB lost", flush=True)  # fmt: skip
    for kind, key in (("controls", "quality"), ("identity", "step")):
        for i, first in enumerate(results[0][kind]):
            rows = [result[kind][i] for result in results]
            size = "bytes_a_frame" if kind == "controls" else "bytes"
            means = [float(np.mean([row[name] for row in rows])) for name in (size, "loss_db")]
            print(
                f"mean, {kind} at {key} {first[key]}: {means[0]:.2f} bytes, {means[1]:+.3f} dB lost"
            )
    if options.json:
        facts = {"machine": machine(), "clips": results}
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
