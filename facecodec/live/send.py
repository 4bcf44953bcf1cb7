"""Send: what a camera or a file shows of a known person, as a live stream, in real time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from facecodec.atomic import STANDARD_OUTPUT
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import load_identity_file
from facecodec.errors import UsageError
from facecodec.live.address import SCHEME
from facecodec.live.background import without_pauses
from facecodec.live.newcomer import newcomer
from facecodec.live.opening import open_link
from facecodec.live.outlet import open_outlet, refuse_outlet
from facecodec.live.person import LivePerson
from facecodec.live.reading import CaptureThread
from facecodec.live.sender import Link, Sender, SendStatus, SendSummary
from facecodec.live.settings import LiveSettings
from facecodec.live.speaker import Speaker
from facecodec.live.tracker import PersonTracker
from facecodec.models import Device, require_models
from facecodec.progress import Progress, silent
from facecodec.seconds import Time, seconds
from facecodec.video.capturing import open_capture
from facecodec.video.opus import DEFAULT_BIT_RATE, OpusCoder, check_bit_rate
from facecodec.video.reader import USUAL_RATE
from facecodec.weights.catalogue import DEFAULT_GENERATOR

AUDIO_PACKET_MILLISECONDS = 40  # each has a head of its own; more of it is more delay


def send(
    source: str,
    to: str,
    *,
    identity: str | Path | None = None,
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
    """Track a person as pictures come, and send their motion, until the source ends.

    source: a camera (/dev/video0), a video file, '-' or a named pipe with any container, numbered
    pictures (`frames/%06d.png`), or an address, if `addresses` are allowed. A file is shown at its
    own pace, and followed while it is being written. raw: size and pixels of pictures without a
    container, `640x480:yuv420p`. to: `udp://host:port`, '-' for a stream on standard output, or a
    `.fcv` file.
    identity: the `.fci` file of the person; without it they are found out while they are seen, by a
    process of its own: first quickly, then better, each time in another stream that takes the place
    of the one before. That takes a link: a file has one person. refer: send the file's SHA-256
    instead of the person, to a receiver who has the file. camera, size, fps: see `open_capture`.
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
    datagrams = to.startswith(SCHEME)
    refuse_outlet(to, force, [source, None if identity is None else str(identity)])
    check_bit_rate(audio_bitrate)
    if identity is None:
        _refuse_without_person(to, refer)
    file = None if identity is None else load_identity_file(identity)
    require_models(*([DEFAULT_GENERATOR] if file is None else []), person=True)
    rate = seconds(fps)
    capture = open_capture(
        source, camera=camera, size=size, fps=rate, addresses=addresses, sound=audio, raw=raw
    )
    settings = settings or (LiveSettings.for_packets() if datagrams else LiveSettings())
    coder = None
    if capture.channels:
        coder = OpusCoder(capture.channels, audio_bitrate, AUDIO_PACKET_MILLISECONDS)
    ending = stop or threading.Event()

    def opened(who: Speaker, chosen: LiveSettings, size: tuple[int, int]) -> Link:
        return open_link(
            who.avatar,
            fps=capture.rate or rate or USUAL_RATE,
            size=size,
            datagrams=datagrams,
            audio=None if coder is None else coder.parameters,
            settings=chosen,
            person=who.person,
        )

    with ExitStack() as stack:
        if file is None:
            somebody = stack.enter_context(
                newcomer(settings, rig, device, not every_frame, any_face, progress)
            )
        else:
            avatar = Avatar.from_identity_file(file, name=str(identity), rig=rig, device=device)
            tracker = PersonTracker(
                avatar, any_face=any_face, keep_up=not every_frame, progress=progress
            )
            person = LivePerson.from_identity_file(file, refer)
            rounds = tracker.quantiser()  # before the first picture
            known = Speaker("known", avatar, person, tracker, settings, lambda: rounds)
        stack.enter_context(a_thread_less())
        stack.enter_context(without_pauses())
        thread = stack.enter_context(CaptureThread(capture, every_frame))
        sender = Sender(thread, opened, coder)
        first = sender.take(ending) if file is not None else somebody.meet(sender.take, ending)
        if first is not None:
            outlet = open_outlet(to)
            speaker = somebody.speaker if file is None else lambda: known
            try:
                sender.run(first, speaker, outlet, ending, max_frames, watch)
            except BaseException:
                outlet.abort()
                raise
        return sender.summary()


def _refuse_without_person(to: str, refer: bool) -> None:
    """Raise UsageError for what needs a person who is known beforehand."""
    if refer:
        raise UsageError("nobody to refer to: give the person's .fci file", argument="identity")
    if to != STANDARD_OUTPUT and not to.startswith(SCHEME):
        raise UsageError(
            f"{to}: a file has one person from its beginning: give theirs in a .fci file, or "
            "encode the clip",
            argument="identity",
        )


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
