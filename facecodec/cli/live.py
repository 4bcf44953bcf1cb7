"""`facecodec live`: a sender and a receiver, in real time."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Any

import click

from facecodec.cli import console, options, progress
from facecodec.cli.live_status import (
    ended_by_signals,
    receive_report,
    received,
    send_report,
    sent,
    status_line,
)


class PictureSize(click.ParamType):  # type: ignore[type-arg]
    """A size: 1280x720."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Return width and height in pixels."""
        parts = str(value).lower().split("x")
        if len(parts) != 2 or not all(part.isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r} is no size; write 1280x720", param, ctx)
        return int(parts[0]), int(parts[1])


@click.group()
def command() -> None:
    """Send and receive a talking head in real time.

    \b
    facecodec live receive udp://:5000 --out - | ffplay -
    facecodec live send /dev/video0 --to udp://there:5000 --identity alice.fci
    """


@command.command()
@click.argument("source", metavar="IN")
@click.option("--to", required=True, metavar="ADDRESS", help="udp://host:port, - or a .fcv file.")
@click.option(
    "--identity", type=options.FILE, metavar="FILE.fci",
    help="The person; without it they are found out during the call.",
)  # fmt: skip
@click.option("--refer", is_flag=True, help="Send a reference to the .fci file, not the person.")
@click.option(
    "--camera", type=click.Choice(["v4l2", "avfoundation", "dshow"]),
    help="IN is a camera of Linux, macOS or Windows; the last two are untested.",
)  # fmt: skip
@click.option("--size", type=PictureSize(), help="Ask the camera for this size: 1280x720.")
@click.option("--fps", type=options.Seconds(), metavar="N", help="Of a camera or of pictures.")
@click.option("--url", is_flag=True, help="Let IN be an address: rtsp://, http:// and others.")
@options.raw
@options.audio_bitrate
@options.no_audio
@click.option("--copies", type=click.IntRange(0, 16), metavar="N",
              help="Datagrams that each one repeats.  [default: 2]")  # fmt: skip
@click.option("--key", type=options.Seconds(), metavar="SECONDS",
              help="Between frames that one can begin at.  [default: 2]")  # fmt: skip
@click.option("--together", type=click.IntRange(1, 30), metavar="N",
              help="Frames sent together: fewer bytes, more delay.  [default: 1]")  # fmt: skip
@click.option("--every-frame", is_flag=True, help="Send all frames, however long it takes.")
@click.option("--any-face", is_flag=True, help="Follow whoever is seen.")
@options.max_frames
@options.rig
@options.device
@options.kernel
@click.option("--stats", is_flag=True, help="Say how long frames took.")
@options.as_json_beside_output
@options.verbosity
@options.force
def send(
    source: str,
    to: str,
    identity: str | None,
    refer: bool,
    camera: str | None,
    size: tuple[int, int] | None,
    fps: Fraction | None,
    url: bool,
    raw: str | None,
    audio_bitrate: int | None,
    no_audio: bool,
    copies: int | None,
    key: Fraction | None,
    together: int | None,
    every_frame: bool,
    any_face: bool,
    max_frames: int | None,
    rig: str | None,
    device: str,
    stats: bool,
    json_: bool,
    force: bool,
) -> None:
    """Track the person in IN and send their motion, until IN ends or Ctrl-C is pressed.

    IN is a camera (/dev/video0), a video file, - for a pipe, or pictures (frames/%06d.png). Frames
    that cannot be worked on in time are dropped, and counted. With --to - or a file a stream is
    written that `facecodec decode` reads.

    Without --identity the first pictures show a face that was fitted in some seconds; a better one
    takes its place during the call, twice. A file needs --identity.

    \b
    facecodec live send /dev/video0 --to udp://there:5000 --identity alice.fci
    facecodec live send /dev/video0 --to udp://there:5000
    facecodec live send talk.mp4 --to udp://there:5000 --identity alice.fci
    cat talk.mkv | facecodec live send - --to talk.fcv --identity alice.fci
    grab | facecodec live send - --raw 640x480:yuv420p --fps 25 \\
        --to udp://there:5000 --identity alice.fci
    """
    from facecodec.live.send import send as work
    from facecodec.live.settings import LiveSettings
    from facecodec.video.opus import DEFAULT_BIT_RATE

    usual = LiveSettings.for_packets() if to.startswith("udp://") else LiveSettings()
    settings = usual.changed(
        copies=copies,
        segment_frames=together,
        key_frames=None if key is None else max(round(key * (fps or 30)), 1),
    )
    with ended_by_signals() as stop, progress.shown() as report, status_line() as line:
        done = work(
            source, to, identity=identity, refer=refer, camera=camera, size=size, fps=fps,
            addresses=url, raw=raw, audio=not no_audio,
            audio_bitrate=audio_bitrate or DEFAULT_BIT_RATE, any_face=any_face,
            every_frame=every_frame, max_frames=max_frames, rig=rig, device=device,
            settings=settings, force=force, stop=stop,
            watch=lambda status: line(sent(status)), progress=report,
        )  # fmt: skip
    if json_:
        console.json_result(asdict(done), to)
    for text in send_report(to, done, stats):
        console.say(text)


@command.command()
@click.argument("source", metavar="ADDRESS")
@click.option(
    "--out", required=True, metavar="OUT",
    help="A video, .y4m, pictures, a virtual camera (/dev/video9), or - for standard output.",
)  # fmt: skip
@click.option(
    "--format", "format_", type=click.Choice(["matroska", "y4m"]), default="matroska",
    show_default=True, help="Of --out -.",
)  # fmt: skip
@options.identity
@options.size
@click.option("--depth", type=click.IntRange(0, 240), metavar="FRAMES",
              help="How long a late frame is waited for.  [default: 2]")  # fmt: skip
@click.option("--delay", type=click.FloatRange(0, 10_000), metavar="MILLISECONDS",
              help="Hold frames back, to show them at an even pace.")  # fmt: skip
@click.option("--every-frame", is_flag=True, help="Draw all frames, however late.")
@options.no_audio
@options.max_frames
@click.option("--silence", type=click.FloatRange(0.1), metavar="SECONDS",
              help="End when nothing has come for so long.")  # fmt: skip
@options.device
@options.kernel
@click.option("--stats", is_flag=True, help="Say how long frames took.")
@options.as_json_beside_output
@options.verbosity
@options.force
def receive(
    source: str,
    out: str,
    format_: str,
    identity: str | None,
    size: int | None,
    depth: int | None,
    delay: float | None,
    every_frame: bool,
    no_audio: bool,
    max_frames: int | None,
    silence: float | None,
    device: str,
    stats: bool,
    json_: bool,
    force: bool,
) -> None:
    """Draw what comes to ADDRESS, until its sender ends or Ctrl-C is pressed.

    ADDRESS is udp://host:port, with :port alone for all of this machine's, or - for a stream on
    standard input. At first the generator's mean face is seen, until the person has come.

    \b
    facecodec live receive udp://:5000 --out - | ffplay -
    facecodec live receive udp://:5000 --out call.mp4 --size 512 --stats
    ssh there cat talk.fcv | facecodec live receive - --out talk.mkv
    """
    from facecodec.live.receive import receive as work

    with ended_by_signals() as stop, status_line() as line:
        done = work(
            source, out, identity=identity, size=size, depth=depth,
            delay=None if delay is None else delay / 1000, audio=not no_audio, format=format_,
            every_frame=every_frame, max_frames=max_frames, silence=silence, device=device,
            force=force, stop=stop, watch=lambda status: line(received(status)),
        )  # fmt: skip
    if json_:
        console.json_result(asdict(done), out)
    for text in receive_report(out, done, stats):
        console.say(text)
