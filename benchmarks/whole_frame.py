"""The whole frame at a few kilobits a second: facecodec with a context beside video encoders.

    python benchmarks/whole_frame.py CLIP ... --streams DIR --kbps 10,15,25 \\
        --json benchmarks/results/whole_frame.json

`DIR` holds a stream of each clip's beginning, `CLIP.fcv`, without a context, such as
`facecodec encode CLIP DIR/CLIP.fcv --end 10 --no-audio` makes; one that refers to a `.fci` file is
charged for it. Of every rate the context gets what the stream leaves. Encoders are those of
`facecodec compare`, at the frame's size or, of large frames, at one of `LARGEST_CODED` pixels, and
at a half and a quarter of that side, enlarged by a bicubic filter; what they reach is interpolated
between encodes along the logarithm of the rate, so that all have the same bytes. Of the sizes that
come down to a rate, the one with the most PSNR of the frame counts. Every `EVERY`th frame is
measured: whole, the head (`facecodec.compositing.alpha.head_alpha` of the source), and the inner
face; of some of them dlib's identity distance to the source, too. Figures of each clip are kept in
DIR, as `CLIP.whole.json`: what is there is not measured again, but for codecs that `--again` names.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from saved import save
from whole_frame_tables import MEASURES, OCTAVES, PARTS, REGIONS, by_clip, means

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import open_stream
from facecodec.compositing.alpha import head_alpha
from facecodec.compositing.compositor import coverage
from facecodec.context.plan import LEAST_RATE
from facecodec.decoding.whole import whole_frames
from facecodec.editing.context import add_context
from facecodec.errors import FacecodecError
from facecodec.face.alignment import Alignment
from facecodec.face.crop import crop
from facecodec.face.mask import face_mask
from facecodec.metrics.pictures import all_three
from facecodec.models import face_embedder, landmark_finder
from facecodec.study.rivals import ENCODERS, decoded, encode, even
from facecodec.types import Landmarks
from facecodec.video.reader import VideoReader
from facecodec.video.writer import encode_png

EVERY = 8  # frames from one that is measured to the next, where no other number is asked for
EMBEDDED = 4  # measured frames from one whose identity is measured to the next
LARGEST_CODED = 200_000  # pixels of a frame that an encoder is given
NEAR = 0.06  # of a rate, that an encode is near enough to it
USUAL_SLOPE = 0.08  # of the logarithm of the rate, for one step of quality
TRIES = 2  # encodes for a rate that none is near to
# In the order in which they are measured: the strongest first.
CODERS = [f"{name}{part}" for name in reversed(ENCODERS) for part in PARTS]
CONTAINER_BYTES = 60  # of a context in a stream, beside its pictures
COMMAND = "python benchmarks/whole_frame.py CLIPS --streams DIR --kbps {kbps}"

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Source:
    """The measured frames of a clip, and where head and inner face are in each."""

    frames: dict[int, Picture]
    masks: dict[int, list[NDArray[np.bool_] | None]]
    points: dict[int, Landmarks] = field(default_factory=dict)
    known: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    details: dict[int, dict[int, NDArray[np.float32]]] = field(default_factory=dict)

    @classmethod
    def of(cls, clip: Path, places: dict[int, Alignment], count: int) -> Source:
        """Read them; places: of the frames to measure."""
        frames, masks, find = {}, {}, landmark_finder()
        shapes: dict[int, Landmarks] = {}
        known: dict[int, NDArray[np.float64]] = {}
        with VideoReader(clip) as reader:
            for i, frame in enumerate(reader.frames(None, None, count)):
                points = find(frame.image) if i in places else None
                if points is None:
                    continue
                frames[i], shapes[i] = frame.image, points
                if len(frames) % EMBEDDED == 1:
                    known[i] = embedder()(frame.image, points)
                shape = frame.image.shape
                alpha = head_alpha(crop(frame.image, places[i], 256))
                head = coverage(alpha, places[i], (shape[1], shape[0])) > 0.5
                side = max(shape[:2])
                inner = face_mask(points, side)[: shape[0], : shape[1]]
                masks[i] = [None, head, inner]
        return cls(frames, masks, shapes, known)

    def bands(self, i: int) -> dict[int, NDArray[np.float32]]:
        """Return the detail of frame `i` by octave, [H, W] each."""
        if i not in self.details:
            self.details[i] = bands(self.frames[i])
        return self.details[i]

    def measured(self, shown: Iterable[tuple[int, Picture]]) -> dict[str, float]:
        """Return every measure of frames that are shown, by their numbers."""
        sums: dict[str, list[float]] = {name: [] for name in MEASURES}
        detail: dict[tuple[str, str, int], float] = {}
        for i, picture in shown:
            if i not in self.frames:
                continue
            results = all_three(self.frames[i], picture, self.masks[i])
            for region, (_, decibels, similar) in zip(REGIONS, results, strict=True):
                sums[f"PSNR {region}"].append(decibels)
                sums[f"SSIM {region}"].append(similar)
            if i in self.known:
                own = embedder()(picture, self.points[i])
                sums["identity"].append(float(np.linalg.norm(own - self.known[i])))
            for name, sizes in (("source", self.bands(i)), ("shown", bands(picture))):
                for octave, size in sizes.items():
                    for region, mask in zip(REGIONS, self.masks[i], strict=True):
                        key = name, region, octave
                        total = float(size.sum() if mask is None else size[mask].sum())
                        detail[key] = detail.get(key, 0.0) + total
        for region in REGIONS:
            for octave in OCTAVES:
                ratio = detail["shown", region, octave] / detail["source", region, octave]
                sums[f"{region} {octave} px"] = [ratio]
        return {name: float(np.mean(values)) for name, values in sums.items()}


embedder = cache(face_embedder)


def bands(picture: Picture) -> dict[int, NDArray[np.float32]]:
    """Return the size of a frame's detail [H, W] by octave: as `facecodec.metrics.detail.bands`."""
    height, width = picture.shape[:2]
    now = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    sizes = {}
    for octave in (1, *OCTAVES):
        smaller = F.avg_pool2d(now, 2, ceil_mode=True)
        large = F.interpolate(smaller, size=now.shape[-2:], mode="bilinear")
        lost = (now - large).abs().mean(1, keepdim=True)
        if octave in OCTAVES:
            sizes[octave] = F.interpolate(lost, size=(height, width))[0, 0].numpy()
        now = smaller
    return sizes


def of_stream(path: Path, avatar: Avatar, wanted: set[int]) -> Iterator[tuple[int, Picture]]:
    """Yield the wanted frames of a stream with a context, as `facecodec decode` shows them."""
    with open_stream(path) as stream:
        header = stream.header
        for frame, picture in whole_frames(stream, avatar, wanted):
            yield frame.index, picture[: header.height, : header.width]


def at_rates(
    name: str, clip: Path, source: Source, length: tuple[int, float], kbps: list[float]
) -> dict[float, dict[str, float]]:
    """Return the measures of an encoder at some rates, interpolated between its encodes.

    name: of the encoder, and after a slash what its side is divided by. length: frames, seconds.
    """
    (count, seconds), (name, _, part) = length, name.partition("/")
    with VideoReader(clip) as reader:
        size, rate = (reader.width, reader.height), reader.rate or Fraction(25)
    share = min(1.0, (LARGEST_CODED / (size[0] * size[1])) ** 0.5)
    coded = even(size, share / int(part or 1))
    encoder = ENCODERS[name]
    made: dict[int, tuple[float, dict[str, float]]] = {}

    def frames() -> Iterator[Picture]:
        with VideoReader(clip) as reader:
            for frame in reader.frames(None, None, count):
                yield frame.image

    def rate_of(quality: int) -> float:
        if quality not in made:
            result = encode(frames(), name, coded, rate, quality)
            shown = source.measured(enumerate(decoded(result, size)))
            made[quality] = result.bytes * 8e-3 / seconds, shown
            print(f"    {name} {quality}: {made[quality][0]:.1f} kbps", flush=True)
        return made[quality][0]

    quality = (encoder.best + 2 * encoder.worst) // 3
    for wanted in sorted(kbps, reverse=True):
        for _ in range(TRIES):
            if made:
                quality = min(made, key=lambda q: abs(np.log(made[q][0] / wanted)))
                excess = np.log(made[quality][0] / wanted)
                if abs(excess) < NEAR:
                    break
                step = round(float(excess) / slope(made)) or (1 if excess > 0 else -1)
                quality = min(max(quality + step, encoder.best), encoder.worst)
                if quality in made:
                    break
            rate_of(quality)
    rates = sorted(made.values(), key=lambda row: row[0])
    logs = np.log([row[0] for row in rates])
    return {
        wanted: {
            m: float(np.interp(np.log(wanted), logs, [r[1][m] for r in rates])) for m in MEASURES
        }
        | {"kbps": float(np.clip(wanted, rates[0][0], rates[-1][0]))}
        for wanted in kbps
    }


def slope(made: dict[int, tuple[float, dict[str, float]]]) -> float:
    """Return by how much the logarithm of the rate falls from one quality to the next."""
    if len(made) < 2:
        return USUAL_SLOPE
    low, high = min(made), max(made)
    return max(float(np.log(made[low][0] / made[high][0])) / (high - low), USUAL_SLOPE / 3)


def person_bytes(path: Path, folder: Path) -> int:
    """Return the bytes of the `.fci` file that a stream refers to, 0 where it holds the person."""
    with open_stream(path) as stream:
        if stream.identity_reference is None:
            return 0
        for file in folder.glob("*.fci"):
            if hashlib.sha256(file.read_bytes()).digest() == stream.identity_reference:
                return file.stat().st_size
    raise FacecodecError(f"{path}: its person is not in {folder}")


def ours(
    clip: Path,
    stream: Path,
    source: Source,
    rates: tuple[list[float], float, int],
    pictures: Path | None,
) -> dict[str, dict[str, float]]:
    """Return the measures of the stream with a context.

    rates: kilobits a second, seconds, and bytes of the stream and its person.
    """
    kbps, seconds, spent = rates
    figures = {}
    with open_stream(stream) as opened:
        avatar = Avatar.from_stream(opened, None)
    for wanted in kbps:
        left = int(wanted * 1000 - 8 * (spent + CONTAINER_BYTES) / seconds)
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "whole.fcv"
            context = left if left >= LEAST_RATE else "still"
            done = add_context(stream, clip, whole, context)
            shown = dict(of_stream(whole, avatar, set(source.frames)))
        total = (spent + done.bytes - stream.stat().st_size) * 8e-3 / seconds
        row = source.measured(shown.items()) | {"kbps": total, "context": float(max(left, 0))}
        figures[f"{wanted:g}"] = row
        print(f"  facecodec: {total:.1f} kbps, {row['PSNR whole']:.2f} dB", flush=True)
        if pictures is not None:
            middle = sorted(shown)[len(shown) // 2]
            pair = np.concatenate([source.frames[middle], shown[middle]], axis=1)
            (pictures / f"{clip.stem}.{wanted:g}.png").write_bytes(encode_png(pair))
    return figures


def measured(
    clip: Path,
    streams: Path,
    kbps: list[float],
    pictures: Path | None,
    names: tuple[list[str], list[str]],
    every: int,
) -> dict[str, Any]:
    """Return the measures of a clip: of every codec at every rate.

    names: codecs to measure again, and encoders, some of `CODERS`. every: frames from one that is
    measured to the next.
    """
    again, coders = names
    stream, kept = (streams / f"{clip.stem}{end}" for end in (".fcv", ".whole.json"))
    known: dict[str, Any] = json.loads(kept.read_text()) if kept.is_file() else {"codecs": {}}
    figures = {name: rows for name, rows in known["codecs"].items() if name not in again}
    if not {"facecodec", *coders} - figures.keys():
        return {**known, "codecs": figures}
    print(clip.stem, flush=True)
    with open_stream(stream) as opened:
        records = list(opened.frames())
        base = opened.header.time_base
        rate = opened.header.frame_rate or Fraction(25)
        seconds = float((records[-1].pts - records[0].pts) * base + 1 / rate)
        spent = stream.stat().st_size + person_bytes(stream, stream.parent)
    places = {
        r.index: Alignment.from_array(r.placement)
        for r in records[every // 2 :: every]
        if r.placement is not None
    }
    source = Source.of(clip, places, len(records))
    done = {"clip": clip.stem, "seconds": round(seconds, 2), "bytes": spent, "codecs": figures}
    if "facecodec" not in figures:
        rows = ours(clip, stream, source, (kbps, seconds, spent), pictures)
        figures["facecodec"] = rows
        kept.write_text(json.dumps(done, indent=1))
    for name in coders:
        if name not in figures:
            found = at_rates(name, clip, source, (len(records), seconds), kbps)
            figures[name] = {f"{wanted:g}": row for wanted, row in found.items()}
            kept.write_text(json.dumps(done, indent=1))
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--streams", type=Path, required=True)
    parser.add_argument("--kbps", default="10,15,25")
    parser.add_argument(
        "--pictures", type=Path, help="folder for a frame of each, beside the source"
    )
    parser.add_argument("--coders", default=",".join(CODERS), help="encoders, with their sizes")
    parser.add_argument("--again", default="", help="codecs to measure again, with commas")
    parser.add_argument("--every", type=int, default=EVERY, help="frames from one to the next")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    kbps = [float(number) for number in given.kbps.split(",")]
    done = []
    for clip in given.clips:
        names = given.again.split(","), given.coders.split(",")
        done.append(measured(clip, given.streams, kbps, given.pictures, names, given.every))
    table = means(done, kbps)
    for row in [table["columns"], *table["rows"]]:
        print(" ".join(f"{cell:>9}" for cell in row))
    command = COMMAND.format(kbps=given.kbps)
    save(given.json, command, table=table, means=by_clip(done, kbps), clips=done)


if __name__ == "__main__":
    main()
