"""Receive: a live stream that comes over a network or a pipe, drawn as it comes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from facecodec.arguments import whole_or_none
from facecodec.errors import FacecodecError, UsageError
from facecodec.live.address import SCHEME, parse_address
from facecodec.live.arrivals import Arrivals, Inlet, PipeInlet, UdpInlet
from facecodec.live.background import without_pauses
from facecodec.live.pictures import PictureDecoder
from facecodec.live.playout import Playout
from facecodec.live.receiver import Limits, Receiver, ReceiveStatus, ReceiveSummary
from facecodec.live.screen import Screen
from facecodec.models import Device
from facecodec.video.writer import PIPE_FORMATS, refuse_output

MAX_DELAY_SECONDS = 10.0


def receive(
    source: str,
    output: str,
    *,
    identity: str | Path | None = None,
    size: int | None = None,
    depth: int | None = None,
    delay: float | None = None,
    audio: bool = True,
    format: str = "matroska",
    every_frame: bool = False,
    max_frames: int | None = None,
    silence: float | None = None,
    device: Device = "auto",
    force: bool = False,
    stop: threading.Event | None = None,
    watch: Callable[[ReceiveStatus], None] = lambda _: None,
) -> ReceiveSummary:
    """Draw a live stream as it comes, until its sender ends it.

    source: `udp://host:port` to listen at, with an empty host for all of this machine's; or '-' for
    a stream on standard input. Once a stream has begun, datagrams of other hosts are passed over.
    output: a video, `.y4m`, numbered pictures, a virtual camera (/dev/video9), or '-' for standard
    output in `format`, 'matroska' or 'y4m', flushed a frame at a time.
    identity: the `.fci` file that the sender may refer to. size: a side in pixels, see
    `facecodec.decode`. depth: how many frames a late one is waited for, see `Decoder`. delay:
    seconds that frames are held back to be shown at an even pace; None shows each as it comes.
    audio: write the sound. every_frame: draw every frame, however late; without, frames that are
    late are dropped where a younger one waits. max_frames: stop after so many pictures. silence:
    stop when nothing has come for so many seconds, after something did. device: where to draw.
    force: overwrite the output. stop: ends the work when it is set; the output is then whole.
    watch: told after every picture.

    Raises UsageError for misuse, FacecodecError for an address that cannot be listened at or an
    output that cannot be written, ModelError when the generator is not installed, StreamError for
    a stream of another rig, or one that refers to another `.fci` file. That no picture came at all
    is a FacecodecError.
    """
    refuse_output(output, force, [source, identity])
    whole_or_none(max_frames, "max_frames", 1)
    if format not in PIPE_FORMATS:
        raise UsageError(f"no format {format!r}; there are: {', '.join(PIPE_FORMATS)}")
    if delay is not None and not 0 <= delay <= MAX_DELAY_SECONDS:
        raise UsageError(f"a delay of {delay} s; allowed is 0 to {MAX_DELAY_SECONDS:g}")
    datagrams = source.startswith(SCHEME)
    viewer = PictureDecoder(
        datagrams=datagrams, depth=depth, size=size, identity=identity, device=device
    )
    playout = None if delay is None else Playout(delay)
    limits = Limits(silence, max_frames, every_frame)
    inlet = open_inlet(source)
    with Arrivals(inlet, datagrams) as arrivals, Screen(output, format, audio) as screen:
        viewer.prepare()
        receiver = Receiver(arrivals, viewer, screen, playout)
        with without_pauses():
            receiver.run(stop or threading.Event(), limits, watch)
        done = receiver.summary()
    if not done.pictures:
        what = f"of {done.datagrams} datagrams" if done.datagrams else "nothing came"
        raise FacecodecError(f"{source}: no picture to show ({what})")
    return done


def open_inlet(source: str) -> Inlet:
    """Return where a live stream comes from: `udp://host:port`, or '-' for standard input.

    Raises UsageError for anything else, FacecodecError for an address that cannot be listened at.
    """
    if source.startswith(SCHEME):
        return UdpInlet(parse_address(source))
    if source != "-":
        raise UsageError(f"{source}: a live stream comes from udp://host:port or from -")
    try:
        return PipeInlet(sys.stdin.fileno())
    except (AttributeError, OSError, ValueError) as error:
        raise UsageError("standard input is closed: there is no stream to read") from error
