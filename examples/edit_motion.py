"""Write a stream again with its person looking a little to the side.

python examples/edit_motion.py [FOLDER]
"""

import sys
from pathlib import Path

import facecodec

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
stream = facecodec.open(folder / "talk.fcv")

controls = stream.controls  # [frames, controls], in standard deviations of the generator's faces
yaw = stream.avatar.rig.names.index("yaw")
controls[:, yaw] += 0.5
stream.write(folder / "aside.fcv", controls, force=True)

facecodec.decode(folder / "aside.fcv", folder / "aside.mp4", size=256, force=True)
print(f"see {folder / 'aside.mp4'}")
