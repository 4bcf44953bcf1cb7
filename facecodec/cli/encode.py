"""`facecodec encode`: video in, stream out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from facecodec.bitstream import DEFAULT_QUALITY
from facecodec.cli import console, options, progress

if TYPE_CHECKING:
    from facecodec.bitstream.container.describe import FlaggedFrames
    from facecodec.encoding.summary import EncodeSummary

SHOWN_FLAGGED = 4  # runs of flagged frames that are told without -v


@click.command()
@click.argument("source", type=options.FILE, metavar="IN")
@click.argument("output", type=options.FILE, metavar="OUT.fcv")
@options.model
@options.rig
@options.preset
@options.device
@options.span
@click.option(
    "--quality", type=click.IntRange(0, 100), default=DEFAULT_QUALITY, show_default=True,
    help="How finely controls are quantised; 16 more halve the step.",
)  # fmt: skip
@click.option(
    "--bitrate", type=options.BitRate(), metavar="RATE",
    help="Of the motion, such as 2k bits a second: the best quality that keeps to it.",
)  # fmt: skip
@click.option(
    "--precision", type=click.Choice(["quantised", "f16", "f32"]), default="quantised",
    show_default=True, help="f16 and f32 store them as they are.",
)  # fmt: skip
@click.option(
    "--id-frame", type=click.IntRange(0),
    help="Frame that shows the person best, counted from 0 at --start; chosen where not given.",
)  # fmt: skip
@click.option(
    "--tune", type=click.Choice(["none", "small", "light", "full"]),
    help="Bytes for likeness, once a stream: small 10 KB, light 70 KB, full 700 KB. "
    "Default: small; none with --identity or --preset live.",
)  # fmt: skip
@click.option(
    "--fps", type=options.Seconds(), default="25", show_default=True, metavar="N",
    help="Of numbered or raw pictures.",
)  # fmt: skip
@options.raw
@click.option("--identity", type=options.FILE, help="A .fci file with the person to use.")
@click.option("--any-face", is_flag=True, help="Go on even if nobody in IN is like --identity.")
@options.face
@click.option(
    "--live", is_flag=True,
    help="Smooth with past frames alone, as in a call; the person is best given by --identity.",
)  # fmt: skip
@click.option(
    "--context", type=options.ContextRate(), default="off", show_default=True,
    metavar="off|still|RATE",
    help="The rest of the frame, so that decode gives it back: still is one picture, for a room "
    "and a camera that stand still; RATE, such as 8k bits a second, films it.",
)  # fmt: skip
@options.tracks
@click.option(
    "--audio", type=click.Choice(["auto", "copy", "opus", "none"]), default="auto",
    show_default=True,
    help="Keep the audio as it is, or code it as Opus; auto: code what takes over 32 kbps.",
)  # fmt: skip
@options.audio_bitrate
@options.no_audio
@click.option(
    "--checkpoint", is_flag=True,
    help="Keep what is done beside OUT, every ten seconds; the same command goes on there.",
)  # fmt: skip
@options.kernel
@options.as_json_beside_output
@options.verbosity
@options.force
def command(
    source: str,
    output: str,
    model: str,
    rig: str | None,
    preset: str,
    device: str,
    start: Fraction | None,
    end: Fraction | None,
    max_frames: int | None,
    quality: int,
    bitrate: int | None,
    precision: str,
    id_frame: int | None,
    tune: str | None,
    fps: Fraction,
    raw: str | None,
    identity: str | None,
    any_face: bool,
    face: str | None,
    live: bool,
    context: str | int,
    video_track: int | None,
    audio_track: int | None,
    audio: str,
    audio_bitrate: int | None,
    no_audio: bool,
    checkpoint: bool,
    json_: bool,
    force: bool,
) -> None:
    """Encode a video of one person into a .fcv stream.

    \b
    facecodec encode talk.mp4 talk.fcv
    facecodec encode talk.mp4 talk.fcv --start 1:30 --end 1:40 --preset slow
    facecodec encode talk2.mp4 talk2.fcv --identity alice.fci
    facecodec encode talk.mp4 talk.fcv --context 8k
    facecodec encode frames/%06d.png talk.fcv --fps 30
    cat talk.mp4 | facecodec encode - talk.fcv --bitrate 2k
    facecodec encode talk.mp4 - | ssh elsewhere facecodec decode - talk.mp4
    """
    here = click.get_current_context()
    chosen = here.get_parameter_source("quality") == click.core.ParameterSource.COMMANDLINE
    if bitrate is not None and chosen:
        raise click.UsageError("--quality and --bitrate both choose the quality; give one", here)
    from facecodec.encoding.encode import encode
    from facecodec.encoding.tuning import settled_tune
    from facecodec.video.reader import VideoReader

    audio = "none" if no_audio else audio
    if audio != "none" and raw is None and Path(source).is_file():
        # to say so before the work
        with VideoReader(Path(source), video_track, audio_track) as reader:
            if reader.audio_dropped:
                left_out = f"its audio ({reader.audio_dropped}) cannot be stored, and is left out"
                console.say(f"{source}: {left_out}")
    kind = settled_tune(tune, known=identity is not None, live=preset == "live")
    stages = progress.TUNES.get(kind, progress.ENCODE)

    def foretell(seconds: float) -> None:
        """Say how long it will take, before the work."""
        console.say(f"{source}: about {progress.clock(seconds)} on this machine")

    with progress.shown(stages) as report:
        done = encode(
            source, output, model=model, rig=rig, preset=preset, device=device,
            start=start, end=end, max_frames=max_frames, fps=fps, raw=raw, audio=audio,
            audio_bitrate=audio_bitrate, quality=quality, bitrate=bitrate,
            video_track=video_track, audio_track=audio_track,
            precision=precision, id_frame=id_frame, tune=tune, identity=identity, live=live,
            context=context, any_face=any_face, face=face, checkpoint=checkpoint,
            force=force, progress=report,
            foretell=foretell,
        )  # fmt: skip
    if json_:
        console.json_result(asdict(done) | {"kbps": done.kbps}, output)
    console.say(
        f"{output}: {done.frames} frames, {done.duration:.2f} s, {done.bytes} bytes "
        f"({done.kbps:.1f} kbps), encoded in {sum(done.stages.values()):.1f} s"
    )
    console.say(f"  {_parts(done)}")
    if context == "still" and (moving := console.said_of_moving(done.context_moving)):
        console.say(f"  {moving}")
    if bitrate is not None:
        console.say(f"  {_reached(done, bitrate)}")
    if done.no_face or done.low_confidence:
        console.say(
            f"  {done.no_face} frames without a face (the last controls are held), "
            f"{done.low_confidence} of low confidence"
        )
    if done.audio_dropped and not Path(source).is_file():  # of a file that was said before
        console.say(f"  its audio ({done.audio_dropped}) cannot be stored, and is left out")
    if done.faces > 1:
        which = "chosen by --face" if face else "the largest; --face chooses"
        console.say(f"  {done.faces} faces at once: {which}")
    if done.other_face:
        console.say(f"  {said_of_others(done)}")
    for line in told(done.flagged, console.is_verbose()):
        console.say(f"  {line}")


def told(flagged: Sequence[FlaggedFrames], all_: bool) -> list[str]:
    """Return a line for each run of flagged frames, for the first ones alone unless `all_`."""
    shown = flagged if all_ else flagged[:SHOWN_FLAGGED]
    more = len(flagged) - len(shown)
    return [*map(str, shown), *([f"{more} more; -v lists them all"] if more else [])]


def said_of_others(done: EncodeSummary) -> str:
    """Return what is to be said of frames that show somebody else."""
    own = done.frames - done.no_face - done.other_face
    cut = "" if done.first_cut is None else f" (a cut at {done.first_cut:.2f} s)"
    said = f"{done.other_face} of {done.frames} frames show somebody else{cut}"
    if own <= done.other_face:
        said += f", the person {own}: --id-frame chooses who"
    return f"{said}; the person's last controls are held there"


def _reached(done: EncodeSummary, bitrate: int) -> str:
    """Return how near the motion is to its target rate, in bits a second."""
    reached = 8 * done.motion_bytes / max(done.duration, 1e-9)
    said = f"quality {done.quality} takes {reached / 1000:.2f} of {bitrate / 1000:g} kbps"
    return said if reached <= bitrate else f"{said}: the lowest there is, and too much"


def _parts(done: EncodeSummary) -> str:
    """Return what the bytes are spent on."""
    rate = 8e-3 / max(done.duration, 1e-9)
    sound = "none"
    if done.audio:
        sound = f"{rate * done.audio_bytes:.1f} kbps ({done.audio_codec})"
    around = f"; context: {rate * done.context_bytes:.1f} kbps" if done.context_bytes else ""
    return (
        f"person: {done.person_bytes} bytes once; motion: {rate * done.motion_bytes:.1f} kbps; "
        f"audio: {sound}{around}"
    )
