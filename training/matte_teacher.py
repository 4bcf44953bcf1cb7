"""Say what is a person in generated faces, by the segmenter that the package mediapipe ships.

    python3.11 -m venv teacher && teacher/bin/pip install mediapipe==0.10.14
    teacher/bin/python training/matte_teacher.py faces/*.npz

mediapipe 0.10.14 (Apache-2.0) carries `modules/selfie_segmentation/selfie_segmentation.tflite`; its
answers to a picture and to the picture mirrored are averaged. Reads `faces` [N, 256, 256, 3] of
each file, and writes `person` [N, 256, 256], 0 to 255, into NAME.person.npy beside it. It needs
nothing of this project, so that an environment of its own suffices.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mediapipe
import numpy as np


def main() -> None:
    """Write what is a person for each file named on the command line."""
    segmenter = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    for path in map(Path, sys.argv[1:]):
        with np.load(path) as stored:
            faces = stored["faces"]
        person = np.zeros(faces.shape[:3], np.uint8)
        for i, face in enumerate(faces):
            straight = segmenter.process(face).segmentation_mask
            mirrored = segmenter.process(face[:, ::-1].copy()).segmentation_mask[:, ::-1]
            person[i] = np.rint(127.5 * (straight + mirrored))
        np.save(path.with_suffix(".person.npy"), person)
        print(f"{path}: {len(faces)} faces", flush=True)


if __name__ == "__main__":
    main()
