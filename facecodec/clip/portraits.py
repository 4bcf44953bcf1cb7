"""Pictures of one person as a clip: their face at the same place in every one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from facecodec.clip.clip import Clip
from facecodec.clip.source import FramesInMemory
from facecodec.errors import NoFaceError, UsageError
from facecodec.face.alignment import Alignment, ffhq_alignment, usual_size
from facecodec.face.crop import crop
from facecodec.models import landmark_finder
from facecodec.progress import Progress, silent
from facecodec.types import Picture
from facecodec.video.reader import VideoReader

PORTRAIT_SIDE = 1.75  # sides of the aligned square in a side of a portrait: hair and shoulders too
MOST_PORTRAITS = 64  # pictures, which all stay in memory


class Portraits(Clip):
    """Some pictures of one person, each a frame.

    They may differ in size, and the face may be anywhere in them: of each picture the surroundings
    of its largest face are taken, turned upright. One picture says nothing of what hides the face
    in the next.
    """

    occluded_neighbours = 0

    @classmethod
    def of(cls, paths: Sequence[str | Path], progress: Progress = silent) -> Portraits:
        """Read picture files; progress is told of each.

        Raises UsageError for a file that is missing or holds more than one picture, NoFaceError for
        a picture without a face, FacecodecError for a file that is no picture.
        """
        if len(paths) > MOST_PORTRAITS:
            raise UsageError(f"{len(paths)} pictures: {MOST_PORTRAITS} are enough for a person")
        find = landmark_finder()
        places: list[Alignment] = []
        for i, path in enumerate(paths):
            find.reset()
            points = find(_only_picture(Path(path)))
            if points is None:
                raise NoFaceError(f"{path}: no face in this picture")
            places.append(ffhq_alignment(points))
            progress("reading the pictures", i + 1, len(paths))
        size = round(PORTRAIT_SIDE * usual_size(places))  # as large as most show the face
        frames = [  # read again: photographs are large, and portraits are not
            crop(_only_picture(Path(path)), replace(place, size=PORTRAIT_SIDE * place.size), size)
            for path, place in zip(paths, places, strict=True)
        ]
        name = f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else str(paths[0])
        return cls(FramesInMemory(frames, fps=1, name=name), progress=progress)


def _only_picture(path: Path) -> Picture:
    """Return the picture [H, W, 3] in a file. Raises UsageError where there are more."""
    with VideoReader(path) as reader:
        frames = list(islice(reader.frames(), 2))
    if len(frames) != 1:
        raise UsageError(
            f"{path}: not one picture; give one clip, or some pictures, to take a person from"
        )
    return frames[0].image
