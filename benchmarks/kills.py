"""Encodes that are killed at random moments and gone on with: what is lost, and what they come to.

`python benchmarks/kills.py --folder WORK --json benchmarks/results/kills.json` encodes the sample
once undisturbed and then again with `--checkpoint`, killing it (SIGKILL) after random times; an
encode that comes to its end is compared with the undisturbed one, and the next one begins. It can
be stopped and goes on in the same folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import saved

from facecodec.process import module_command

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "sample.mp4"
KILLS = 10
SECONDS = (5.0, 45.0)  # from an encode's start to its kill, at random between these
ROOM_SECONDS = 60.0  # before the time is up, from when nothing is begun any more
COLUMNS = ["kill", "after", "share of a core", "kept before", "stage kept last"]


def command(output: Path, frames: int, *more: str) -> list[str]:
    """Return the command of an encode."""
    options = ["--preset", "fast", "--tune", "none", "--max-frames", str(frames), "-q", *more]
    return module_command("facecodec", "encode", str(SAMPLE), str(output), *options)


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def killed(output: Path, frames: int, seconds: float) -> dict[str, Any] | None:
    """Go on with an encode and kill it after so many seconds; None where it ended before.

    Raises CalledProcessError where it failed.
    """
    words = command(output, frames, "--checkpoint")
    begin, at = time.time(), time.monotonic()
    process = subprocess.Popen(words)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        took, busy = time.monotonic() - at, processor_seconds(process.pid)
        process.kill()
        process.wait()
    else:
        if code:
            raise subprocess.CalledProcessError(code, words)
        return None
    folder = output.with_name(output.name + ".checkpoint")
    stages = {path.stat().st_mtime: path.stem for path in folder.glob("*.stage")}
    last = max(stages, default=begin)
    lost = min(took, begin + took - last)
    return {"after": took, "share": busy / took, "lost": lost, "stage": stages.get(last, "none")}


def main() -> None:
    """Kill, go on, compare, and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for outputs; goes on in it")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after about this time")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + given.seconds - ROOM_SECONDS
    whole, output, notes = (given.folder / name for name in ("whole.fcv", "out.fcv", "kills.json"))
    if not whole.exists():
        subprocess.run(command(whole, given.frames), check=True)
    seen = json.loads(notes.read_text()) if notes.exists() else {"kills": [], "equal": []}
    waits = np.random.default_rng(given.seed).uniform(*SECONDS, given.kills)
    kept = output.with_name(output.name + ".checkpoint")
    while len(seen["kills"]) < given.kills or kept.exists() or not seen["equal"]:
        if time.monotonic() > until:
            return
        number = len(seen["kills"])
        kill = killed(output, given.frames, waits[number] if number < given.kills else 1e9)
        if kill is not None:
            seen["kills"].append(kill)
        else:
            seen["equal"].append(output.read_bytes() == whole.read_bytes())
            output.unlink()
        print(kill or f"ended, equal: {seen['equal'][-1]}", flush=True)
        notes.write_text(json.dumps(seen))
    rows = [
        [str(i), f"{kill['after']:.0f} s", f"{kill['share']:.2f}", f"{kill['lost']:.0f} s",
         kill["stage"]]
        for i, kill in enumerate(seen["kills"], 1)
    ]  # fmt: skip
    saved.save(
        given.json, "python benchmarks/kills.py --folder WORK",
        table={"columns": COLUMNS, "rows": rows}, equal=seen["equal"],
        longest_lost_seconds=max(kill["lost"] for kill in seen["kills"]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
