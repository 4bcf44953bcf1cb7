"""Encode pictures that are in memory already: here, those of the sample's first frames.

python examples/frames_in_memory.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

import facecodec

facecodec.set_process_defaults()

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(exist_ok=True)
sample = Path(__file__).resolve().parent.parent / "samples" / "sample.mp4"

with facecodec.Clip.open(sample, max_frames=3) as clip:
    frames = np.stack([frame.image for frame in clip.frames()])  # uint8 [3, 480, 640, 3]

done = facecodec.encode(frames, folder / "memory.fcv", fps=25, preset="fast", force=True)
print(f"{done.frames} frames of {frames.shape[2]}x{frames.shape[1]}, {done.bytes} bytes")
