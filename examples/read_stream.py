"""Read a stream: its frames, their times and controls, and the picture of one.

python examples/read_stream.py [FOLDER]
"""

import sys
from pathlib import Path

import facecodec

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
stream = facecodec.open(folder / "talk.fcv")

print(f"{len(stream)} frames, {stream.fps} a second, {stream.duration:.2f} s")
for frame in stream:
    largest = abs(frame.controls).argmax()
    print(f"{frame.time:.2f} s: {stream.avatar.rig.names[largest]} moves the face most")

picture = stream.render(1, size=256)
print(f"frame 1 is a picture {picture.shape} of {picture.dtype}, mean grey {picture.mean():.0f}")
