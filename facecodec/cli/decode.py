"""`facecodec decode`: stream in, video out."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction

import click

from facecodec.cli import console, options, progress

CODECS = ["x264", "x265", "av1", "vp9", "prores", "ffv1"]
CODECS += ["h264_nvenc", "hevc_nvenc", "av1_nvenc", "h264_qsv", "hevc_qsv", "av1_qsv"]
CODECS += ["h264_videotoolbox", "hevc_videotoolbox"]


@click.command()
@click.argument("source", type=options.FILE, metavar="IN.fcv")
@click.argument("output", type=options.FILE, metavar="OUT")
@options.size
@options.span
@click.option(
    "--canvas", type=click.Choice(["face", "source"]),
    help="The face square alone, or back in a frame of the source's size.  "
    "[default: source where the stream has a context, else face]",
)  # fmt: skip
@click.option(
    "--background", metavar="PICTURE|VIDEO|blur|COLOUR",
    help="What is behind the person: a file, what was there but blurred, or #rrggbb or a name.",
)  # fmt: skip
@click.option(
    "--also", type=options.FILE, multiple=True, metavar="OTHER.fcv",
    help="Another person of the same picture, laid into its frames too; may be repeated.",
)  # fmt: skip
@options.identity
@options.rig
@options.device
@options.kernel
@options.no_audio
@click.option(
    "--keep-times", is_flag=True,
    help="Keep the source's times; otherwise the output begins at 0.",
)  # fmt: skip
@click.option(
    "--fps", type=options.Seconds(), metavar="N",
    help="Frames a second: motion between two frames is interpolated.",
)  # fmt: skip
@click.option(
    "--codec", type=click.Choice(CODECS), metavar="NAME",
    help="Of a video: x264, x265, av1, vp9, prores, ffv1, or a device's: h264_nvenc, hevc_nvenc, "
    "av1_nvenc, h264_qsv, hevc_qsv, av1_qsv, h264_videotoolbox, hevc_videotoolbox.  "
    "[default: x264, of .webm vp9]",
)  # fmt: skip
@click.option("--crf", type=click.IntRange(0, 63), help="Quality of a video, 0 the best.")
@click.option("--bits", type=click.Choice(["8", "10"]), help="A channel of a video.")
@click.option(
    "--format", "format_", type=click.Choice(["y4m", "matroska"]), metavar="NAME",
    help="Of OUT -: y4m, or matroska with the audio in it.  [default: y4m]",
)  # fmt: skip
@options.as_json_beside_output
@options.verbosity
@options.force
def command(
    source: str,
    output: str,
    size: int | None,
    start: Fraction | None,
    end: Fraction | None,
    max_frames: int | None,
    canvas: str | None,
    background: str | None,
    also: tuple[str, ...],
    identity: str | None,
    rig: str | None,
    device: str,
    no_audio: bool,
    keep_times: bool,
    fps: Fraction | None,
    codec: str | None,
    crf: int | None,
    bits: str | None,
    format_: str | None,
    json_: bool,
    force: bool,
) -> None:
    """Render a .fcv stream.

    OUT is a video (.mp4, .mkv, .mov, .webm), .y4m, - for standard output, a moving picture (.gif,
    .webp), numbered pictures (frames/%06d.png), one picture (.png, .jpg: the first frame), or a
    virtual camera (/dev/video9, Linux).

    \b
    facecodec decode talk.fcv talk.mp4
    facecodec decode talk.fcv talk.mkv --codec x265 --crf 22 --bits 10 --fps 60
    facecodec decode talk.fcv face.jpg --start 1:02
    facecodec decode talk.fcv - --format matroska | ffplay -
    facecodec decode talk.fcv call.mp4 --background blur
    facecodec decode talk.fcv back.mp4 --canvas source --background room.png
    facecodec decode left.fcv both.mp4 --also right.fcv
    """
    from facecodec.decoding.decode import decode

    with progress.shown(progress.DECODE) as report:
        done = decode(
            source, output, size=size, start=start, end=end, max_frames=max_frames,
            canvas=canvas, background=background, also=also, identity=identity, rig=rig,
            device=device, audio=not no_audio, keep_times=keep_times, fps=fps, codec=codec, crf=crf,
            bits=int(bits) if bits else None, format=format_, force=force,
            progress=report,
        )  # fmt: skip
    if json_:
        facts = asdict(done) | {"damage": [str(damage) for damage in done.damage]}
        console.json_result(facts, output)
    console.say(
        f"{output}: {done.frames} frames in {done.seconds:.1f} s, "
        f"{1000 * done.rendering / done.frames:.0f} ms a frame to render"
    )
    console.say_damage(done.damage)
    if done.audio_dropped:
        console.say(f"audio left out: this output takes no {done.audio_dropped}")
    if done.audio_recoded:
        console.say(f"audio coded again, as {done.audio_recoded}, which this output takes")
