"""The sample by preset and tuning: time, bytes and likeness, which anybody can measure again.

    python benchmarks/sample.py --json benchmarks/results/sample.json

Encodes samples/sample.mp4 with each pair of preset and tuning, and compares the stream with the
clip. With `--keep FOLDER` streams and summaries stay there, and those that are there already are
not made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from saved import save

SAMPLE = "samples/sample.mp4"
PAIRS = (("fast", "none"), ("fast", "small"), ("fast", "light"), ("medium", "small"))
COLUMNS = ("preset", "tune", "encoding", "person", "motion", "PSNR face", "SSIM face",
           "identity", "mouth", "eyes")  # fmt: skip


def run(*arguments: str) -> dict[str, Any]:
    """Run a command of facecodec; return the summary it prints."""
    command = [sys.executable, "-m", "facecodec", *arguments, "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def measured(preset: str, tune: str, folder: Path) -> dict[str, Any]:
    """Return the summaries of encode, info and eval for one pair."""
    stream = folder / f"{preset}-{tune}.fcv"
    summaries: dict[str, Any] = {}
    for name, arguments in (
        ("encode", ("encode", SAMPLE, str(stream), "--preset", preset, "--tune", tune, "-f")),
        ("info", ("info", str(stream), "--rates")),
        ("eval", ("eval", SAMPLE, str(stream))),
    ):
        kept = folder / f"{preset}-{tune}.{name}.json"
        if not kept.is_file():
            kept.write_text(json.dumps(run(*arguments)))
        summaries[name] = json.loads(kept.read_text())
    return summaries


def row(preset: str, tune: str, summaries: dict[str, Any]) -> list[str]:
    """Return one row of the table."""
    encoded, values = summaries["encode"], summaries["eval"]["values"]
    info = summaries["info"]
    seconds = sum(encoded["stages"].values())
    person = info["identity_bytes"] + info["tuning_bytes"]
    return [
        preset,
        tune,
        f"{seconds / 60:.1f} min",
        f"{person / 1000:.1f} KB",
        f"{info['controls_bytes'] / encoded['frames']:.1f} B/frame",
        f"{values['psnr_face']:.1f} dB",
        f"{values['ssim_face']:.3f}",
        f"{values['identity']:.3f}",
        f"{values['mouth_opening']:.3f}",
        f"{values['eye_opening']:.3f}",
    ]


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for preset, tune in PAIRS:
            rows.append(row(preset, tune, measured(preset, tune, folder)))
            print(*rows[-1], sep="\t")
    save(
        given.json,
        "python benchmarks/sample.py --json benchmarks/results/sample.json",
        table={"columns": COLUMNS, "rows": rows},
    )


if __name__ == "__main__":
    main()
