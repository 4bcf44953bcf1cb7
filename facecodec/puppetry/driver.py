"""The driver of a puppet: a stream, and the video it was made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from facecodec.atomic import scratch_folder
from facecodec.avatar.avatar import Avatar
from facecodec.avatar.identity import beside
from facecodec.bitstream import StreamReader, open_stream
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.decoding.cut import cut
from facecodec.face.expression import features
from facecodec.progress import Progress
from facecodec.puppetry.hidden import seen_face
from facecodec.puppetry.output import driver_pictures
from facecodec.types import Controls, Floats, Picture
from facecodec.video.reader import VideoReader

Times = tuple[Fraction | None, Fraction | None]


@dataclass(frozen=True)
class Driver:
    """The one who moves: a stream, the video it was made of where that is at hand, and its span.

    person: the `.fci` file that the stream refers to, where it was found beside it.
    """

    stream: StreamReader
    video: Path | None
    span: Times = (None, None)
    person: Path | None = None

    def controls(self, max_frames: int | None) -> Controls:
        """Return the controls [T, K] of the first frames."""
        return np.stack([f.controls for f in islice(self.stream.frames(), max_frames)])

    def face(self, person: Avatar, controls: Controls, progress: Progress) -> tuple[Floats, Floats]:
        """Return the features [T, 50] and irises [T, 2, 2] of the face in the frames of `controls`.

        See `facecodec.face`; NaN where no face is seen. Read from the video where there is
        one, else from pictures of `person`, the driver's own. What a hand hides in the video goes
        on from before to after.
        """
        if self.video is None:
            points, looks = person.face_reader().looks(
                controls.astype(np.float64), "reading the driver", progress
            )
            return features(points), looks
        span, reader = Span(*self.span, max_frames=len(controls)), VideoReader(self.video)
        with Clip(reader, span, progress=progress) as clip:
            return seen_face(clip)

    def pictures(self, person: Avatar, numbers: list[int], side: int) -> Iterator[Picture]:
        """Yield the driver's squares [S, S, 3] in the order of `numbers`, of its frames.

        Cut from the video where there is one, else pictures of `person`, the driver's own.
        """
        if self.video is not None:
            return driver_pictures(self.video, self.stream, numbers, side)
        rows = self.controls(None)
        return (person.render(rows[number][None], side)[0] for number in numbers)


@contextmanager
def opened(
    driver: Path,
    video: str | Path | None,
    encoded: Callable[[Path, Path], object],
    span: Times = (None, None),
) -> Iterator[Driver]:
    """Open a driver; a video is encoded into a stream that lasts as long as it is open.

    video: what a `.fcv` was made of. encoded: encodes a video, or the part of it that is wanted.
    span: start and end of that part in seconds, by which a `.fcv` is cut.
    """
    with scratch_folder() as folder:
        made, person = folder / "driver.fcv", None
        if driver.suffix.lower() != ".fcv":
            encoded(driver, made)
            video = driver
        elif span != (None, None):
            cut(driver, made, start=span[0], end=span[1])
            with open_stream(driver) as whole:
                person = beside(whole)  # nothing lies beside the part
        else:
            made = driver
        with open_stream(made) as stream:
            yield Driver(stream, Path(video) if video else None, span, person)
