"""The main job through the commands, clip by clip: encode, decode, what came back, peak memory.

    python benchmarks/main_job.py CLIPS --json benchmarks/results/main_job.json --keep out/

Encode and decode run as processes of their own, so that their peak memory is theirs. The decoded
video's frames, time base, duration and audio are compared with the source's, as PyAV reads them;
PSNR and identity are those of the first `MEASURED` frames.
A clip in which no frame shows a face must fail with one line and leave no file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from saved import save

from facecodec.bitstream import StreamReader
from facecodec.metrics.measures import written
from facecodec.study.evaluate import Options, evaluate_files

MEASURES = ("psnr_face", "identity")
MEASURED = 150
COLUMNS = ["clip", "frames", "encode s", "tracking s/frame", "kbps", "PSNR face", "identity",
           "encode MB", "decode MB", "decoded as the source"]  # fmt: skip
COMMAND = "python benchmarks/main_job.py CLIPS"


@dataclass(frozen=True)
class Ran:
    """A finished command: exit code, what it wrote, seconds, and its peak memory in MB."""

    code: int
    out: str
    error: str
    seconds: float
    memory: int


def run(*arguments: str) -> Ran:
    """Run a facecodec command as a process of its own."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        command = [sys.executable, "-m", "facecodec", *arguments]
        process = subprocess.Popen(command, stdout=out, stderr=error)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        out.seek(0)
        error.seek(0)
        texts = out.read().decode(), error.read().decode()
    return Ran(process.returncode, *texts, seconds, used.ru_maxrss // 1000)


def facts(video: Path, frames: int | None) -> dict[str, Any]:
    """Return what a viewer would notice of a video's time and sound, of its first frames."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        times: list[Fraction] = []
        for frame in container.decode(stream):
            if frames is not None and len(times) == frames:
                break
            assert frame.pts is not None and stream.time_base is not None
            times.append(frame.pts * stream.time_base)
        sound = container.streams.audio[0] if container.streams.audio else None
        return {
            "times": [float(t - times[0]) for t in times],
            "audio": sound.codec_context.name if sound else None,
        }


def same(source: dict[str, Any], decoded: dict[str, Any]) -> str:
    """Say whether decoded times and sound are the source's, or what is not."""
    ours, theirs = decoded["times"], source["times"]
    if len(ours) != len(theirs):
        return f"{len(ours)} of {len(theirs)} frames"
    off = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    if off > 0.0005:
        return f"times off by {off * 1000:.1f} ms"
    if decoded["audio"] != source["audio"]:
        return f"audio {source['audio']} became {decoded['audio']}"
    return "yes, " + (source["audio"] or "silent")


def measure(clip: Path, folder: Path, frames: int | None, options: Options) -> dict[str, Any]:
    """Encode, decode and measure one clip."""
    stream, back = folder / f"{clip.stem}.fcv", folder / f"{clip.stem}.mp4"
    limit = ["--max-frames", str(frames)] if frames else []
    done = run("encode", str(clip), str(stream), "--json", "-f", *limit)
    if done.code:
        return {"clip": clip.stem, "error": done.error.strip().splitlines()[-1],
                "code": done.code, "left": stream.exists()}  # fmt: skip
    summary = json.loads(done.out)
    decoded = run("decode", str(stream), str(back), "-f", "-q")
    if decoded.code:
        raise SystemExit(f"{clip}: decode failed: {decoded.error}")
    measured = min(frames or MEASURED, MEASURED)
    result = evaluate_files(clip, stream, max_frames=measured, options=options)
    with stream.open("rb") as file:
        rate = StreamReader(file).rate_split()
    return {
        "clip": clip.stem,
        "frames": summary["frames"],
        "no_face": summary["no_face"],
        "stages": summary["stages"],
        "kbps": summary["kbps"],
        "bytes": {"identity": rate.identity_bytes, "controls": rate.controls_bytes,
                  "audio": rate.audio_bytes, "all": summary["bytes"]},
        "encode": {"seconds": done.seconds, "memory": done.memory},
        "decode": {"seconds": decoded.seconds, "memory": decoded.memory},
        "agrees": same(facts(clip, frames), facts(back, None)),
        "values": {name: result.values[name] for name in MEASURES},
    }  # fmt: skip


def line(row: dict[str, Any]) -> list[str]:
    """Return a clip's row of the table."""
    if "error" in row:
        kept = "a file was left" if row["left"] else "no file"
        return [row["clip"], *["-"] * (len(COLUMNS) - 2), f"exit {row['code']}, {kept}"]
    values = [written(name, row["values"][name]) for name in MEASURES]
    return [row["clip"], str(row["frames"]), f"{row['encode']['seconds']:.0f}",
            f"{row['stages']['tracking'] / row['frames']:.2f}", f"{row['kbps']:.1f}", *values,
            str(row["encode"]["memory"]), str(row["decode"]["memory"]), row["agrees"]]  # fmt: skip


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--max-frames", type=int)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(*COLUMNS, sep=" | ")
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for clip in given.clips:
            rows.append(measure(clip, folder, given.max_frames, Options()))
            print(*line(rows[-1]), sep=" | ", flush=True)
            table = {"columns": COLUMNS, "rows": [line(row) for row in rows]}
            save(given.json, COMMAND, table=table, rows=rows)


if __name__ == "__main__":
    main()
