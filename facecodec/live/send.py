"""Send: what a camera or a file shows of a known person, as a live stream, in real time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import load_identity_file
from facecodec.live.address import SCHEME
from facecodec.live.outlet import open_outlet, refuse_outlet
from facecodec.live.person import LivePerson
from facecodec.live.pictures import open_link
from facecodec.live.reading import CaptureThread
from facecodec.live.sender import Sender, SendStatus, SendSummary
from facecodec.live.settings import LiveSettings
from facecodec.live.tracker import PersonTracker
from facecodec.models import Device, require_models
from facecodec.progress import Progress, silent
from facecodec.seconds import Time, seconds
from facecodec.video.capturing import open_capture
from facecodec.video.opus import DEFAULT_BIT_RATE, OpusCoder, check_bit_rate
from facecodec.video.reader import USUAL_RATE

AUDIO_PACKET_MILLISECONDS = 40  # each has a head of its own; more of it is more delay


def send(
    source: str,
    to: str,
    *,
    identity: str | Path,
    refer: bool = False,
    camera: str | None = None,
    size: tuple[int, int] | None = None,
    fps: Time | None = None,
    addresses: bool = False,
    raw: str | None = None,
    audio: bool = True,
    audio_bitrate: int = DEFAULT_BIT_RATE,
    any_face: bool = False,
    every_frame: bool = False,
    max_frames: int | None = None,
    rig: str | Path | None = None,
    device: Device = "auto",
    settings: LiveSettings | None = None,
    force: bool = False,
    stop: threading.Event | None = None,
    watch: Callable[[SendStatus], None] = lambda _: None,
    progress: Progress = silent,
) -> SendSummary:
    """Track a known person as pictures come, and send their motion, until the source ends.

    source: a camera (/dev/video0), a video file, '-' or a named pipe with any container, numbered
    pictures (`frames/%06d.png`), or an address, if `addresses` are allowed. A file is shown at its
    own pace, and followed while it is being written. raw: size and pixels of pictures without a
    container, `640x480:yuv420p`. to: `udp://host:port`, '-' for a stream on standard output, or a
    `.fcv` file.
    identity: the `.fci` file of the person. refer: send its SHA-256 instead of the person, to a
    receiver who has the file. camera, size, fps: see `open_capture`.
    audio: send the sound, as Opus of `audio_bitrate` bits a second, where the source has some.
    any_face: follow whoever it is. every_frame: send every picture, however long it takes; without,
    pictures that come while one is worked on are dropped, but for the newest, and each takes fewer
    steps where there is no time for all. max_frames: stop after so many.
    rig, device: see `facecodec.encode`. settings: see `LiveSettings`; what suits
    the link when None. force: overwrite a file.
    stop: ends the work when it is set; the stream is then whole. watch: told after every frame.
    progress: told of what is prepared before the first one.

    Raises UsageError for misuse, ModelError when a model is missing, FacecodecError for a source
    that cannot be read or an address that cannot be sent to, BrokenPipeError when whoever reads
    standard output is gone.
    """
    refuse_outlet(to, force, [source, str(identity)])
    check_bit_rate(audio_bitrate)
    file = load_identity_file(identity)
    require_models(person=True)
    rate = seconds(fps)
    capture = open_capture(
        source, camera=camera, size=size, fps=rate, addresses=addresses, sound=audio, raw=raw
    )
    avatar = Avatar.from_identity_file(file, name=str(identity), rig=rig, device=device)
    tracker = PersonTracker(avatar, any_face=any_face, keep_up=not every_frame, progress=progress)
    coder = None
    if capture.channels:
        coder = OpusCoder(capture.channels, audio_bitrate, AUDIO_PACKET_MILLISECONDS)
    datagrams = to.startswith(SCHEME)
    settings = settings or (LiveSettings.for_packets() if datagrams else LiveSettings())
    quantiser = None
    if settings.control_steps is None:
        quantiser = tracker.quantiser()
        settings = replace(settings, control_steps=tuple(quantiser.steps.tolist()))
    ending = stop or threading.Event()
    with CaptureThread(capture, every_frame) as thread, a_thread_less():
        sender = Sender(thread, tracker, coder, quantiser)
        first = sender.take(ending)
        if first is not None:
            link = open_link(
                avatar,
                fps=capture.rate or rate or USUAL_RATE,
                size=(first.image.shape[1], first.image.shape[0]),
                datagrams=datagrams,
                audio=None if coder is None else coder.parameters,
                settings=settings,
                person=LivePerson.from_identity_file(file, refer),
            )
            outlet = open_outlet(to)
            try:
                sender.run(first, link, outlet, ending, max_frames, watch)
            except BaseException:
                outlet.abort()
                raise
        return sender.summary()


@contextmanager
def a_thread_less() -> Iterator[None]:
    """Have torch take one thread less, as one is needed to look at the next picture.

    More threads than there are cores wait for each other, and whoever waits keeps a core busy.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before - 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
