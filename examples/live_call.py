"""Send the motion of a stream in datagrams, lose a fifth of them, and draw what arrives.

python examples/live_call.py [FOLDER]
"""

import random
import sys
from pathlib import Path

import facecodec
from facecodec.live import LiveSettings
from facecodec.live.opening import open_link
from facecodec.live.pictures import PictureDecoder

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
stream = facecodec.open(folder / "talk.fcv")
avatar = stream.avatar

# The person goes in parts with the frames: fast here, and again at once, for a short clip.
settings = LiveSettings.for_packets(person_bytes=1500, person_frames=1)
sender = open_link(avatar, fps=stream.fps or 25, datagrams=True, settings=settings)
viewer = PictureDecoder(datagrams=True, size=256, model=avatar.model)
dice = random.Random(1)
for frame in stream:
    for datagram in sender.push(frame.controls, frame.time, frame.flags):
        if dice.random() < 0.2:
            continue  # lost
        for arrived, picture in viewer.feed(datagram):
            said = "made up" if arrived.recovered else "as sent"
            print(f"{float(arrived.time):.2f} s: {said}, {viewer.stage}, {picture.shape}")
counts = viewer.decoder.counts
print(f"{counts.frames} frames as they were sent, {counts.recovered} in the place of lost ones")
