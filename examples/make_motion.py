"""Move the person of a stream by numbers of your own: a nod.

python examples/make_motion.py [FOLDER]
"""

import sys
from pathlib import Path

import numpy as np

import facecodec

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
avatar = facecodec.Avatar.from_stream(folder / "talk.fcv")

controls = np.zeros((10, avatar.num_controls), np.float32)
controls[:, avatar.rig.names.index("pitch")] = np.sin(np.linspace(0, 2 * np.pi, 10))
size = facecodec.write_stream(folder / "nod.fcv", avatar, controls, fps=10, force=True)
print(f"{size} bytes, of which the person is {avatar.latent.size} numbers coded")

pictures = avatar.render(controls[:2], size=256)  # uint8 [2, 256, 256, 3]
print(f"frames 0 and 1 differ by {np.abs(pictures[0].astype(int) - pictures[1]).mean():.1f}")
