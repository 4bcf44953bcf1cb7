"""Encode three frames of the sample, and decode them.

python examples/encode_decode.py [FOLDER]
"""

import sys
from pathlib import Path

import facecodec

facecodec.set_process_defaults()  # the same bytes from run to run

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
folder.mkdir(exist_ok=True)
sample = Path(__file__).resolve().parent.parent / "samples" / "sample.mp4"

done = facecodec.encode(sample, folder / "talk.fcv", preset="fast", max_frames=3, force=True)
print(f"{done.frames} frames, {done.bytes} bytes, encoded in {sum(done.stages.values()):.1f} s")

back = facecodec.decode(folder / "talk.fcv", folder / "talk.mp4", size=512, force=True)
print(f"decoded in {back.seconds:.1f} s to {folder / 'talk.mp4'}")
