"""Who is in a call: a person fitted while it goes on, first quickly, then better and better.

    python -m facecodec.live.enrolling GENERATOR RIG DEVICE

is the process that does it, beside the sender's: it reads pictures of the face from standard input
(`messages.py`), and writes what is known of the person each time that more is.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.face import READING_PIXELS
from facecodec.clip.clip import Clip
from facecodec.clip.source import FramesInMemory
from facecodec.encoding.person import Enrolment, face_at_rest, find_person
from facecodec.encoding.preparation import learn
from facecodec.encoding.presets import FAST, LIVE_TRACKING, QUICK_INVERSION, Preset
from facecodec.encoding.tuning import tune_person
from facecodec.errors import FacecodecError, NoFaceError
from facecodec.fit.likeness import Likeness
from facecodec.live.messages import LEARNT, as_array, read_message, write_message
from facecodec.models import FaceModel, face_embedder, load_likeness, load_models
from facecodec.progress import silent
from facecodec.types import Picture

QUICK = replace(FAST, keyframes=1, inversion=QUICK_INVERSION)  # the first person, in some seconds
REHEARSED = replace(QUICK_INVERSION, w_steps=1, w_plus_steps=1, full_steps=1)
BETTER = replace(FAST, keyframes=6)  # the next ones, beside the call
TUNE = "small"
NICENESS = 10  # once the first person is there: the pictures of the call go first
MOST_PICTURES = 32

Arrays = dict[str, NDArray[Any]]


def enrolled(
    pictures: Callable[[], list[Picture]],
    model: FaceModel,
    likeness: Likeness | None,
    relax: Callable[[], None],
    plans: tuple[Preset, Preset] = (QUICK, BETTER),
) -> Iterator[Arrays]:
    """Yield what is known of the person in pictures, each time that more is.

    pictures: those that have come so far, uint8 [S, S, 3], at least one. relax: called when the
    first person is there. plans: of the first person, and of the next ones. Raises NoFaceError
    where no picture shows a face.
    """
    quick, better = plans
    clip = clip_of(pictures())
    avatar, enrolment = find_person(clip, model, quick, None, likeness, silent)
    known = described("quick", avatar, clip, enrolment)
    yield known
    relax()
    yield known | learnt(avatar)
    clip = clip_of(pictures())
    avatar, enrolment = find_person(clip, model, better, None, likeness, silent)
    yield described("fitted", avatar, clip, enrolment) | learnt(avatar)
    avatar, enrolment = tune_person(clip, avatar, enrolment, better, TUNE, likeness, silent)
    yield described("tuned", avatar, clip, enrolment) | learnt(avatar)


def clip_of(pictures: list[Picture]) -> Clip:
    """Return pictures of one face, uint8 [S, S, 3] each, as a clip."""
    return Clip(FramesInMemory(pictures, fps=1, name="the camera"), occlusions=False, people=False)


def described(stage: str, avatar: Avatar, clip: Clip, enrolment: Enrolment) -> Arrays:
    """Return what a sender needs of a person, as arrays.

    person: the bytes of a `.fci` file. neutral [68, 2]: the landmarks of the frame that controls 0
    stand for, in sides of its square; rest [68, 2]: those of the person as drawn there, if they are
    read. embedding [128]: of the face in that frame.
    """
    scan, first = clip.scan, enrolment.frame
    frame = next(frame.image for i, frame in enumerate(clip.frames()) if i == first)
    points = scan.alignments[first].from_unit(scan.landmarks[first])
    known: Arrays = {
        "stage": as_array(stage.encode()),
        "person": as_array(avatar.identity_file().pack()),
        "neutral": scan.landmarks[first],
        "embedding": face_embedder()(frame, points),
    }
    _, drawn = face_at_rest(avatar)
    if drawn is not None:
        known["rest"] = drawn / READING_PIXELS
    return known


def learnt(avatar: Avatar) -> Arrays:
    """Return what tracking the person live begins with, by names that begin with `LEARNT`."""
    arrays = learn(avatar, LIVE_TRACKING, silent).arrays()
    return {LEARNT + name: array for name, array in arrays.items()}


def rehearse(model: FaceModel, likeness: Likeness | None) -> None:
    """Fit the generator's mean face for a moment, before the first picture of somebody comes.

    What is read, computed and set up once takes a second, for which nobody then waits.
    """
    nobody = Avatar(model, np.tile(model.mean, (model.generator.num_ws, 1)))
    face = nobody.render(np.zeros((1, nobody.num_controls), np.float32))[0]
    plan = replace(QUICK, inversion=REHEARSED)
    with suppress(NoFaceError):
        next(enrolled(lambda: [face], model, likeness, lambda: None, (plan, BETTER)))


class Received:
    """The pictures that come over a pipe, read by a thread. The process ends with them."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source, self._pictures = source, list[Picture]()
        self._begun, self._lock = threading.Event(), threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def __call__(self) -> list[Picture]:
        """Return the pictures so far, uint8 [S, S, 3], once it is to begin."""
        self._begun.wait()
        with self._lock:
            return list(self._pictures)

    def _read(self) -> None:
        while (message := read_message(self._source)) is not None:
            with self._lock:
                if "picture" in message and len(self._pictures) < MOST_PICTURES:
                    self._pictures.append(message["picture"])
            if "begin" in message:
                self._begun.set()
        os._exit(0)  # whoever asked is gone, and a fit would go on for minutes


def _relax() -> None:
    """Leave the processor to the call."""
    torch.set_num_threads(1)
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def main() -> None:
    """Answer until all is known."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever began this says when it ends
    name, rig, device = sys.argv[1:]
    pictures, sink = Received(sys.stdin.buffer), sys.stdout.buffer
    try:
        model = load_models(name, rig or None, device)
        likeness = load_likeness(model.generator)
        rehearse(model, likeness)
        write_message(sink, {"ready": np.ones(1)})
        for person in enrolled(pictures, model, likeness, _relax):
            write_message(sink, person)
    except BrokenPipeError:
        return
    except Exception as error:  # whatever it is, the call goes on
        known = isinstance(error, FacecodecError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        write_message(sink, {"error": as_array(text.encode())})


if __name__ == "__main__":
    main()
