"""Calm the head, make the mouth do more, and take the motion out as a table and back in.

python examples/edit_stream.py [FOLDER]
"""

import sys
from pathlib import Path

import facecodec
from facecodec import edits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
talk, calm, table = (folder / name for name in ("talk.fcv", "calm.fcv", "calm.csv"))

done = facecodec.edit(
    talk, calm, [edits.Stabilise(), edits.Gain("mouth", 1.3), edits.Gain("pose", 0.5)], force=True
)
print(f"{done.frames} frames: {', '.join(done.edits)}")

# A row a frame and a column a control, for a spreadsheet or an animation program.
facecodec.export(calm, table, force=True)
facecodec.edit(talk, folder / "again.fcv", [edits.Replace(table)], force=True)

metadata = facecodec.open(calm).reader.header.metadata
print("; ".join(f"{name}: {text}" for name, text in metadata.items()))
