"""The face of a person at any controls, read from previews as a face in a video is."""

from __future__ import annotations

import numpy as np
import torch

import cuda_ops
from facecodec.checkpoint import Stage
from facecodec.face.expression import features
from facecodec.face.gaze import gaze
from facecodec.face.landmarks import LandmarkFinder
from facecodec.face.layout import NUM_LANDMARKS
from facecodec.fit.response import Response
from facecodec.generator.base import Generator
from facecodec.progress import Progress, silent
from facecodec.types import Floats, Landmarks, Picture

READING_PIXELS = 256  # pixels of the pictures in which a face is read


class FaceReader:
    """Reads one person's face, picture after picture: the landmark finder follows it."""

    def __init__(self, generator: Generator, person: Response, find: LandmarkFinder) -> None:
        """`generator` draws the person with the styles and the effect of controls in `person`."""
        self.generator, self.person, self.find = generator, person, find
        small = READING_PIXELS in generator.preview_sizes
        self.size = READING_PIXELS if small else generator.resolution

    def __call__(self, controls: Floats) -> Floats:
        """Return the features [N, 50] (`facecodec.face.expression`) at controls [N, K].

        NaN where no face is read.
        """
        return features(self.landmarks(controls))

    def landmarks(
        self,
        controls: Floats,
        stage: str = "reading the face",
        progress: Progress = silent,
        kept: Stage | None = None,
    ) -> Landmarks:
        """Return the landmarks [N, 68, 2] at controls [N, K], in sides of the square.

        NaN where no face is read. `stage` is what progress calls it. kept: of a checkpoint, which
        may know some of them.
        """
        kept, first = kept or Stage(), 0
        rows = np.zeros((len(controls), NUM_LANDMARKS, 2))
        if kept.known is not None:
            first = kept.known["read"]
            known = kept.rows(first, 2 * NUM_LANDMARKS)
            rows[:first] = known.reshape(first, NUM_LANDMARKS, 2)
            self.find.restore(kept.known["finder"])
        for i in range(first, len(controls)):
            rows[i] = self._read(controls[i])
            kept.add(rows[i].ravel())
            progress(stage, i + 1, len(controls))
            if kept.due() or i + 1 == len(controls):
                kept.keep({"read": i + 1, "finder": self.find.state()})
        return rows

    def looks(
        self, controls: Floats, stage: str = "reading the gaze", progress: Progress = silent
    ) -> tuple[Landmarks, Floats]:
        """Return the landmarks [N, 68, 2] at controls [N, K], and where irises lie, [N, 2, 2].

        Landmarks in sides of the square, NaN where no face is read; irises as `facecodec.face.gaze`
        reads them, NaN where no open eye is seen.
        """
        points, where = np.full((len(controls), NUM_LANDMARKS, 2), np.nan), []
        for i, row in enumerate(controls):
            picture = self._picture(row)
            found = self.find(picture)
            where.append(np.full((2, 2), np.nan) if found is None else gaze(picture, found))
            if found is not None:
                points[i] = found / self.size
            progress(stage, i + 1, len(controls))
        return points, np.array(where)

    def _read(self, controls: Floats) -> Landmarks:
        points = self.find(self._picture(controls))
        return np.full((NUM_LANDMARKS, 2), np.nan) if points is None else points / self.size

    def _picture(self, controls: Floats) -> Picture:
        basis = self.person.basis
        with torch.inference_mode(), cuda_ops.roughly():
            moved = torch.from_numpy(controls.astype(np.float32)).to(basis.device)
            styles = self.person.styles + moved[None] @ basis
            if self.size == self.generator.resolution:
                picture = cuda_ops.rgb8(self.generator.synthesize(styles))
            else:
                picture = cuda_ops.rgb8(self.generator.preview(styles, self.size))
        drawn: Picture = picture[0].cpu().numpy()
        return drawn
