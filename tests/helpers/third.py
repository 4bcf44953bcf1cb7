"""The third decoder, the browser's, beside ours: what each makes of the same streams."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from facecodec.bitstream import AudioPacket, StreamReader
from facecodec.errors import StreamError
from tests.helpers import toy_streams

ROOT = Path(__file__).resolve().parent.parent.parent
DECODER = ROOT / "web" / "tests" / "decode.mjs"
NODE = shutil.which("node")


def theirs(streams: list[bytes], folder: Path) -> list[dict[str, Any]]:
    """Return what the third decoder makes of streams, all of one run."""
    paths = []
    for i, data in enumerate(streams):
        paths.append(folder / f"{i}.fcv")
        paths[-1].write_bytes(data)
    mean = toy_streams.W_MEAN.astype("<f4").tobytes().hex()
    command = [str(NODE), str(DECODER), mean, *map(str, paths)]
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


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """Return a line of the third decoder in our words."""
    if "refused" in result:
        return {"refused": True}
    result["damage"] = sorted({(offset, size) for offset, size in result["damage"]})
    return result


def disagreements(streams: list[bytes], folder: Path) -> tuple[list[int], int]:
    """Return the numbers of the streams on which the two differ, and how many are not refused."""
    wrong, read = [], 0
    for i, (data, result) in enumerate(zip(streams, theirs(streams, folder), strict=True)):
        wanted = ours(data)
        if comparable(result) != wanted:
            wrong.append(i)
        read += "refused" not in wanted
    return wrong, read
