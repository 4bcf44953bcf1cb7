"""Face embeddings in a process of their own: dlib holds all threads of its process for 0.08 s each.

    python -m facecodec.face.apart NETWORK

is that process: it reads faces of 150x150 pixels from standard input, and writes what they are.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import IO, Any

import dlib
import numpy as np

from facecodec.face.landmarks import FaceEmbedder
from facecodec.face.readings import box_of
from facecodec.process import module_command
from facecodec.types import Floats, Landmarks, Picture

_log = logging.getLogger(__name__)

CHIP_SIZE, CHIP_PADDING = 150, 0.25  # of the face that dlib's network takes
EMBEDDING_SIZE = 128
ANSWER_BYTES = 8 * EMBEDDING_SIZE
NICENESS = 5  # the pictures of a call go first
PATIENCE_SECONDS = 2.0  # that the process may take to end


class EmbedderApart:
    """Looks at faces beside the work on further ones: `ask`, and later `answer`."""

    def __init__(self, network: Path) -> None:
        """`network`: see `FaceEmbedder`, which takes over should the process end."""
        self._network = network
        self._asked = 0  # answers that are to come
        self._passed = 0  # of them, those that nobody wants
        self._own: Floats | None = None  # an answer of this process
        self._process = subprocess.Popen(
            module_command("facecodec.face.apart", str(network)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._answers: queue.SimpleQueue[Floats] = queue.SimpleQueue()
        taking = threading.Thread(
            target=_take, args=(self._process.stdout, self._answers), daemon=True
        )
        taking.start()
        weakref.finalize(self, _end, self._process, taking)

    def ask(self, frame: Picture, points: Landmarks) -> None:
        """Ask whose face it is that has landmarks [68, 2] in a frame [H, W, 3], if none is asked.

        A frame is contiguous.
        """
        if self._asked and self._process.poll() is None:
            return
        parts = [dlib.point(int(x), int(y)) for x, y in points]
        shape = dlib.full_object_detection(box_of(points), parts)
        chip = np.asarray(dlib.get_face_chip(frame, shape, CHIP_SIZE, CHIP_PADDING))
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(chip.tobytes())
            self._asked += 1
        except OSError as error:
            self._own = self._without(frame, points, error)

    def answer(self) -> Floats | None:
        """Return the embedding [128] that was asked for, once; None while there is none."""
        if self._own is not None:
            own, self._own = self._own, None
            return own
        if self._answers.empty():
            return None
        answer = self._answers.get()
        self._asked -= 1
        if self._passed:
            self._passed -= 1
            return None
        return answer

    def forget(self) -> None:
        """Want no answer to what was asked."""
        self._own, self._passed = None, self._asked

    def _without(self, frame: Picture, points: Landmarks, error: OSError) -> Floats:
        _log.info("faces are looked at by this process, which holds it up: %s", error)
        return FaceEmbedder(self._network)(frame, points)


def _take(out: IO[bytes], answers: queue.SimpleQueue[Floats]) -> None:
    """Pass on what the process answers, until it ends."""
    data = b""
    while more := out.read(ANSWER_BYTES - len(data)):
        data += more
        if len(data) == ANSWER_BYTES:
            answers.put(np.frombuffer(data, np.float64))
            data = b""


def _end(process: subprocess.Popen[Any], taking: threading.Thread) -> None:
    """End the process, which ends with its input."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    taking.join(PATIENCE_SECONDS)
    process.stdout.close()


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever began this says when it ends
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    network = dlib.face_recognition_model_v1(sys.argv[1])
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    side = (CHIP_SIZE, CHIP_SIZE, 3)
    while len(data := source.read(CHIP_SIZE * CHIP_SIZE * 3)) == CHIP_SIZE * CHIP_SIZE * 3:
        chip = np.frombuffer(data, np.uint8).reshape(side).copy()
        try:
            sink.write(np.array(network.compute_face_descriptor(chip), np.float64).tobytes())
            sink.flush()
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
