"""The golden streams, the damaged ones, and what a reader makes of them."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from facecodec.bitstream import (
    AudioPacket,
    AudioParameters,
    FrameFlags,
    IdentityFile,
    StreamHeader,
    StreamReader,
    StreamWriter,
    control_steps,
    pack_identity,
    read_identity,
)
from tests.helpers import toy_streams as streams
from tests.helpers.damage import places, start

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "streams"
COUNT = 5


def small_header(**changes: Any) -> StreamHeader:
    steps = control_steps(np.array([0.03, 0.06, 0.25, 0.25, 0.5]))
    return streams.header(control_steps=steps, **changes)


def spec_header(**more: Any) -> StreamHeader:
    """Return the header of SPEC.md's worked examples, but for the fields in `more`."""
    return StreamHeader(
        generator_name="toy",
        generator_sha256=bytes(range(32)),
        rig_sha256=bytes(range(32, 64)),
        num_ws=1,
        w_dim=2,
        control_steps=np.array([0.25, 0.5], np.float32),
        width=64,
        height=48,
        frame_rate=Fraction(25),
        resolution=32,
        creator="spec",
        **more,
    )


def example() -> bytes:
    """The worked example of SPEC.md section 13."""
    head = spec_header(time_base=Fraction(1, 25), metadata={"preset": "fast"})
    file = io.BytesIO()
    with StreamWriter(file, head) as writer:
        writer.write_identity(np.array([[0.125, -0.0625]], np.float32), np.zeros(2, np.float32))
        writer.write_frame(0, np.array([0.5, 0.0], np.float32))
        writer.write_frame(1, np.array([-0.25, 0.0], np.float32))
    return file.getvalue()


def second_example() -> bytes:
    """The second worked example: audio, placement, two segments, an escape (SPEC.md section 13)."""
    steps = np.array([0.5, 0.5, 0.5, 1 / 256], np.float32)
    head = spec_header(time_base=Fraction(1, 1000), placement_steps=steps)
    controls = np.array([[0.5, 0], [0.75, -0.5], [0.5, 0], [5.5, -0.5]], np.float32)
    places = np.array([[32, 24, 20, 0], [32.5, 24, 20, 0], [0] * 4, [33, 24, 21, 1 / 256]])
    sound = [AudioPacket(1152 * i, 1152 * i, 1152, bytes([i, 255 - i])) for i in range(7)]
    file = io.BytesIO()
    with StreamWriter(file, head, 2) as writer:
        writer.write_identity(np.array([[0.125, -0.0625]], np.float32), np.zeros(2, np.float32))
        writer.set_audio(AudioParameters("mp3", 48000, 1, b"", Fraction(1, 48000)))
        for i in range(4):
            while sound and 1000 * sound[0].pts <= 48000 * 40 * i:
                writer.write_audio(sound.pop(0))
            flags = [0, 0, FrameFlags.NO_FACE, FrameFlags.LOW_CONFIDENCE][i]
            writer.write_frame(40 * i, controls[i], None if i == 2 else places[i], flags)
        for packet in sound:
            writer.write_audio(packet)
    return file.getvalue()


def damaged() -> dict[str, bytes]:
    """Return the damaged examples of SPEC.md section 13: the second one, hurt in three ways."""
    data = second_example()
    segments = [at for at, kind, _ in places(data) if kind == b"SE"]
    flip = segments[0] + 9
    return {
        "damaged_flip.fcv": data[:flip] + bytes([data[flip] ^ 1]) + data[flip + 1 :],
        "damaged_cut.fcv": data[: segments[1] + 12],
        "damaged_loss.fcv": data[: segments[1] - 1] + data[start(data, b"EN") :],
    }


def report(data: bytes) -> dict[str, Any]:
    """Return what a reader makes of a damaged stream: the bytes lost, and the frames.

    A recovered frame is its number and timestamp: its values are not bound to the bit.
    """
    stream = StreamReader(io.BytesIO(data), "damaged")
    frames, packets = [], []
    for item in stream.items():
        if isinstance(item, AudioPacket):
            packets.append([item.pts, item.dts, item.duration, item.data.hex()])
        elif item.recovered:
            frames.append([item.index, item.pts, None, None, None])
        else:
            place = item.placement
            frames.append(
                [
                    item.index,
                    item.pts,
                    int(item.flags),
                    item.controls.astype("<f4").tobytes().hex(),
                    None if place is None else place.astype("<f4").tobytes().hex(),
                ]
            )
    damage = [[item.offset, item.size, item.reason] for item in stream.damage]
    return {"damage": damage, "frames": frames, "audio": packets}


def golden() -> dict[str, bytes]:
    """Return every golden file by name."""
    files = {"example.fcv": example(), "second.fcv": second_example()}
    motion = streams.motion(14, COUNT)
    flags = [0, 0, 1, 1, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0]
    files["quantised.fcv"] = streams.write(
        14,
        head=small_header(metadata={"preset": "medium"}),
        controls=motion,
        flags=flags,
        audio=streams.packets(20, 12),
        tuning=b"opaque",
        segment_frames=5,
    )
    rough = motion * 40 + np.arange(14)[:, None] ** 3  # long unary codes and Exp-Golomb tails
    files["rough.fcv"] = streams.write(
        14, head=small_header(), controls=rough.astype(np.float32), segment_frames=14
    )
    for precision in ("f16", "f32"):
        head = small_header(precision=precision)
        files[f"{precision}.fcv"] = streams.write(9, head=head, controls=motion, segment_frames=4)
    person = IdentityFile(
        "toy",
        bytes(range(32)),
        streams.NUM_WS,
        streams.W_DIM,
        "tests",
        pack_identity(streams.latent(), streams.W_MEAN, np.array([0.02, 0.06, 0.1, 0.3])),
        b"tuned",
    )
    files["person.fci"] = person.pack()
    reference = read_identity(io.BytesIO(person.pack())).sha256
    file = io.BytesIO()
    times = [-40, -7, 0, 1, 2, 3, 250, 251, 1000, 1033, 1066, 1100]
    head = small_header(frame_rate=None, time_base=Fraction(1, 1000))
    with StreamWriter(file, head, 7) as writer:
        writer.write_identity_reference(reference)
        for i, pts in enumerate(times):
            place = streams.placements(12)[i] if i % 5 else None
            writer.write_frame(pts, motion[i], place)
    files["variable.fcv"] = file.getvalue()
    head = streams.header(frame_rate=Fraction(24000, 1001), time_base=Fraction(1, 90000))
    pts = [round(i * Fraction(1001, 24000) * 90000) for i in range(130)]
    files["long.fcv"] = streams.write(130, head=head, pts=pts, segment_frames=None)
    return files


def decoded(data: bytes) -> dict[str, Any]:
    """Return what a stream decodes to, floats as the hexadecimal of their bytes."""
    stream = StreamReader(io.BytesIO(data), "golden")
    frames, packets = [], []
    for item in stream.items():
        if isinstance(item, AudioPacket):
            packets.append([item.pts, item.dts, item.duration, item.data.hex()])
        else:
            place = item.placement
            frames.append(
                [
                    item.pts,
                    int(item.flags),
                    item.controls.astype("<f4").tobytes().hex(),
                    None if place is None else place.astype("<f4").tobytes().hex(),
                ]
            )
    head = stream.header
    texts = [head.generator_name, head.creator]
    texts += [text for pair in sorted(head.metadata.items()) for text in pair]
    result: dict[str, Any] = {"texts": texts, "frames": frames, "audio": packets}
    if stream.identity_reference:
        result["identity_reference"] = stream.identity_reference.hex()
    else:
        mean = streams.W_MEAN[: head.w_dim]
        result["identity"] = stream.identity(mean).astype("<f4").tobytes().hex()
    result["tuning"] = None if stream.tuning is None else stream.tuning.hex()
    assert not stream.damage, stream.damage
    return result
