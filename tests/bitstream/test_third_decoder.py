"""A decoder in another language, from SPEC.md alone, agrees to the bit: whole streams and damaged."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecodec.bitstream import AudioPacket, StreamReader
from facecodec.errors import StreamError
from tests.attacks import fuzz_streams
from tests.helpers import toy_streams
from tests.vectors import make_streams

DECODER = Path(__file__).resolve().parent / "third_decoder.mjs"
NODE = shutil.which("node")
MUTANTS = 1500  # about two seconds

pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")


def theirs(streams: list[bytes], folder: Path) -> list[dict[str, Any]]:
    """Return what the third decoder makes of streams, all of one run."""
    paths = []
    for i, data in enumerate(streams):
        paths.append(folder / f"{i}.fcv")
        paths[-1].write_bytes(data)
    mean = toy_streams.W_MEAN.astype("<f4").tobytes().hex()
    command = [str(NODE), str(DECODER), str(make_streams.SPEC), mean, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def ours(data: bytes) -> dict[str, Any]:
    """Return the same of the product."""
    try:
        stream = StreamReader(io.BytesIO(data), "stream")
        frames: list[list[Any]] = []
        packets = []
        for item in stream.items():
            if isinstance(item, AudioPacket):
                packets.append([item.pts, item.dts, item.duration, item.data.hex()])
                continue
            row = [int(item.flags), item.controls.astype("<f4").tobytes().hex(), None]
            if item.placement is not None:
                row[2] = item.placement.astype("<f4").tobytes().hex()
            frames.append([item.index, item.pts, *([None] * 3 if item.recovered else row)])
    except StreamError:
        return {"refused": True}
    head = stream.header
    identity = None
    if stream.identity_payload is not None:
        try:
            mean = np.resize(toy_streams.W_MEAN, head.w_dim)
            identity = stream.identity(mean).astype("<f4").tobytes().hex()
        except StreamError:
            identity = "breaks the format"
    reference, tuning = stream.identity_reference, stream.tuning
    return {
        "texts": [
            head.generator_name,
            head.creator,
            *(text for pair in sorted(head.metadata.items()) for text in pair),
        ],
        "damage": sorted({(item.offset, item.size) for item in stream.damage if item.size}),
        "reported": bool(stream.damage),
        "frames": frames,
        "audio": packets,
        "identity": identity,
        "reference": reference.hex() if reference else None,
        "tuning": None if tuning is None else tuning.hex(),
    }


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Return a line of the third decoder in our words."""
    if "refused" in found:
        return {"refused": True}
    found["damage"] = sorted({(offset, size) for offset, size in found["damage"]})
    found["reported"] = found.pop("reports") > 0
    return found


def assert_agreement(streams: list[bytes], folder: Path) -> int:
    """Compare both on every stream; return how many were not refused."""
    read = 0
    for i, (data, found) in enumerate(zip(streams, theirs(streams, folder), strict=True)):
        wanted = ours(data)
        assert comparable(found) == wanted, f"stream {i}"
        read += "refused" not in wanted
    return read


def test_golden_streams(tmp_path):
    streams = [path.read_bytes() for path in sorted(make_streams.FOLDER.glob("*.fcv"))]
    assert assert_agreement(streams, tmp_path) == len(streams) > 10


def test_streams_of_every_shape(tmp_path):
    rates = [None, toy_streams.Fraction(25), toy_streams.Fraction(30000, 1001)]
    streams = []
    for seed, rate in enumerate(rates * 3):
        pts = np.cumsum(np.random.default_rng(seed).integers(1, 900, 45)).tolist()
        streams.append(
            toy_streams.write(
                45,
                head=toy_streams.header(frame_rate=rate, precision=["quantised", "f16"][seed % 2]),
                controls=toy_streams.motion(45, 35, seed) * np.float32(3.0 ** (seed - 3)),
                pts=pts if seed > 2 else None,
                audio=toy_streams.packets(80, seed=seed),
                place=seed % 3 > 0,
                segment_frames=[1, 7, 45, None][seed % 4],
            )
        )
    assert assert_agreement(streams, tmp_path) == len(streams)


@pytest.mark.parametrize("name", ["second.fcv", "quantised.fcv", "variable.fcv", "f16.fcv"])
def test_every_byte_flipped(name, tmp_path):
    data = (make_streams.FOLDER / name).read_bytes()
    flips = [data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :] for at in range(len(data))]
    assert assert_agreement(flips, tmp_path) > len(data) / 3


def test_mutants(tmp_path):
    """Hurt bytes, and chunks that say something else with right CRCs."""
    files = {k: v for k, v in fuzz_streams.corpus().items() if k.endswith(".fcv")}
    mutants = [fuzz_streams.mutate(random.Random(f"3/{i}"), files)[0] for i in range(MUTANTS)]
    read = assert_agreement(mutants, tmp_path)
    assert MUTANTS / 20 < read < MUTANTS * 19 / 20
