"""Encode: a video of one person to a stream of one identity latent and 35 floats a frame."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.bitstream import (
    DEFAULT_QUALITY,
    AudioParameters,
    FrameFlags,
    StreamHeader,
    StreamWriter,
    control_steps,
    load_identity_file,
)
from facecodec.clip.occlusion import with_occlusions
from facecodec.clip.scan import Scan, Span, scan
from facecodec.encoding.known_person import known_person
from facecodec.encoding.motion import Motion, track_clip
from facecodec.encoding.person import Person, find_person
from facecodec.encoding.presets import preset
from facecodec.encoding.tuning import TUNES, tune_person
from facecodec.errors import UsageError
from facecodec.generator.base import Generator
from facecodec.models import landmark_finder, load_likeness, load_models
from facecodec.progress import Progress, silent
from facecodec.version import __version__
from facecodec.video.reader import VideoReader
from facecodec.weights.catalogue import DEFAULT_GENERATOR


@dataclass(frozen=True)
class EncodeSummary:
    """What an encode did.

    frames, and how many of them show no face or were tracked with low confidence; the clip's
    length in seconds; bytes of the stream; seconds spent in each stage; the identity frame;
    whether audio rides along, and the codec of audio that could not.
    """

    frames: int
    no_face: int
    low_confidence: int
    duration: float
    bytes: int
    stages: dict[str, float]
    identity_frame: int
    audio: bool
    audio_dropped: str | None

    @property
    def kbps(self) -> float:
        """Return the rate of the whole stream in kilobits a second."""
        return self.bytes * 8 / 1000 / max(self.duration, 1e-9)


def encode(
    source: str | Path,
    output: str | Path,
    *,
    model: str = DEFAULT_GENERATOR,
    rig: str | Path | None = None,
    preset_name: str = "medium",
    device: str = "auto",
    start: Fraction | None = None,
    end: Fraction | None = None,
    max_frames: int | None = None,
    audio: bool = True,
    quality: int = DEFAULT_QUALITY,
    precision: str = "quantised",
    id_frame: int | None = None,
    tune: str = "none",
    identity: str | Path | None = None,
    live: bool = False,
    force: bool = False,
    progress: Progress = silent,
) -> EncodeSummary:
    """Encode a video of one person into a `.fcv` stream; `-` is standard output.

    start, end: seconds of the source. quality: 0 to 100, how finely controls are quantised;
    precision: 'quantised', 'f16' or 'f32'. id_frame: the frame (of the span) to take the person
    from. tune: 'light' spends some 70 KB of the stream on a better likeness, 'full'
    some 700 KB. identity: a `.fci` file with the person, who is then not sought in the clip; the
    stream refers to it by its SHA-256. live: squares and controls are smoothed with past frames
    alone, as an encoder at one end of a call has to.
    Raises NoFaceError when no frame shows a face, UsageError when `output` exists and `force` is
    not set, ModelError when a model is missing.
    """
    source, output = Path(source), Path(output)
    refuse_overwrite(output, force, [source, identity])
    if tune not in TUNES:
        raise UsageError(f"no tuning {tune!r}; there are: {', '.join(TUNES)}")
    if tune != "none" and identity:
        raise UsageError("--tune: the person of a .fci file is tuned already or not at all")
    plan = preset(preset_name)
    given = load_identity_file(identity) if identity else None
    clock = _Clock()
    span = Span(start, end, max_frames)
    with VideoReader(source) as reader:
        generator, the_rig = load_models(model, Path(rig) if rig else None, device)
        finder = landmark_finder()
        likeness = load_likeness(generator)
        clock.lap("models")
        found = scan(reader, finder, span, progress, live)
        found = with_occlusions(reader, span, found, progress, live)
        clock.lap("face")
        if given:
            name = str(identity)
            person = known_person(given, name, found, generator, the_rig, id_frame, finder)
        else:
            person = find_person(
                reader, span, found, generator, the_rig, plan, id_frame, likeness, progress
            )
        clock.lap("inversion")
        if tune != "none" and not given:
            person = tune_person(
                reader, span, found, person, generator, the_rig, plan, tune, likeness, progress
            )
            clock.lap("tuning")
        motion = track_clip(reader, span, found, person, generator, the_rig, plan, progress, live)
        clock.lap("tracking")
        rate = _rate(found, reader.time_base) or reader.rate
        header = StreamHeader(
            generator_name=generator.name,
            generator_sha256=bytes.fromhex(generator.sha256),
            rig_sha256=bytes.fromhex(the_rig.sha256),
            num_ws=generator.num_ws,
            w_dim=generator.w_dim,
            control_steps=control_steps(the_rig.steps, quality),
            width=reader.width,
            height=reader.height,
            time_base=reader.time_base,
            frame_rate=rate,
            resolution=generator.resolution,
            precision=precision,
            quality=quality,
            creator=f"facecodec {__version__}",
            metadata={
                "identity_frame": str(person.frame),
                "preset": preset_name,
                "tune": tune,
                **({"live": "yes"} if live else {}),
            },
        )
        with opened_whole(output) as file:
            reference = given.sha256 if given else None
            size = _write(
                file, header, reader, span, audio, found, person, motion, generator, reference
            )
        clock.lap("writing")
    step = 1 / rate if rate else Fraction(0)
    duration = Fraction(int(found.pts[-1] - found.pts[0])) * reader.time_base + step
    return EncodeSummary(
        frames=len(found),
        no_face=int(np.count_nonzero(motion.flags & FrameFlags.NO_FACE)),
        low_confidence=int(np.count_nonzero(motion.flags & FrameFlags.LOW_CONFIDENCE)),
        duration=float(duration),
        bytes=size,
        stages=clock.laps,
        identity_frame=person.frame,
        audio=audio and reader.audio is not None,
        audio_dropped=reader.audio_dropped if audio else None,
    )


def _write(
    file: BinaryIO,
    header: StreamHeader,
    reader: VideoReader,
    span: Span,
    audio: bool,
    found: Scan,
    person: Person,
    motion: Motion,
    generator: Generator,
    reference: bytes | None,
) -> int:
    """Write the stream: identity or a reference to it, then frames with their audio.

    Returns its bytes.
    """
    track = reader.audio if audio else None
    # --max-frames ends the clip without naming a time; audio ends with the last frame.
    last = Fraction(int(found.pts[-1]) + 1) * reader.time_base
    end = span.end if span.max_frames is None else last
    packets = reader.audio_packets(span.start, end) if track else iter(())
    with StreamWriter(file, header) as writer:
        if reference:
            writer.write_identity_reference(reference)
        else:
            writer.write_identity(person.w_plus.cpu().numpy(), generator.w_mean.cpu().numpy())
            if person.tuning:
                writer.write_tuning(person.tuning)
        if track:
            writer.set_audio(
                AudioParameters(
                    track.codec, track.sample_rate, track.channels, track.extradata, track.time_base
                )
            )
        packet = next(packets, None)
        for i, pts in enumerate(found.pts.tolist()):
            while packet and track and packet.pts * track.time_base <= pts * reader.time_base:
                writer.write_audio(packet)
                packet = next(packets, None)
            placement = found.alignments[i].as_array()
            writer.write_frame(pts, motion.controls[i], placement, int(motion.flags[i]))
        while packet:
            writer.write_audio(packet)
            packet = next(packets, None)
    return writer.bytes_written


def _rate(found: Scan, time_base: Fraction) -> Fraction | None:
    """Return the clip's own mean frame rate where its frames are evenly spaced."""
    steps = np.diff(found.pts)
    if len(steps) == 0 or int(steps.max()) - int(steps.min()) > 1:
        return None
    if int(steps.min()) == int(steps.max()):
        return 1 / (int(steps[0]) * time_base)
    return None


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round(now - self._last, 3)
        self._last = now
