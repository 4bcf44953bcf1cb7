"""Small streams for the tests: motion like a talking head's, made of sines and a seeded walk."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import (
    AudioPacket,
    AudioParameters,
    ContextPictures,
    ContextPlate,
    StreamHeader,
    StreamReader,
    StreamWriter,
    control_steps,
)
from facecodec.bitstream.coding.light_tuning import pack_light, quantise_light

NUM_WS, W_DIM = 4, 8
BASE_STEPS = np.array([0.03] * 3 + [0.25] * 32)
W_MEAN: NDArray[np.float32] = (np.arange(W_DIM, dtype=np.float32) - 3) / np.float32(16)


class Pipe(io.RawIOBase):
    """A file object that can only be read (or written) forwards, as a pipe."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.position = 0
        self.written = bytearray()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        # Short reads, as pipes give.
        part = self.data[self.position : self.position + min(len(buffer), 1000)]
        buffer[: len(part)] = part
        self.position += len(part)
        return len(part)

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


def header(**changes: Any) -> StreamHeader:
    fields: dict[str, Any] = {
        "generator_name": "toy",
        "generator_sha256": bytes(range(32)),
        "rig_sha256": bytes(range(32, 64)),
        "num_ws": NUM_WS,
        "w_dim": W_DIM,
        "control_steps": control_steps(BASE_STEPS),
        "width": 640,
        "height": 480,
        "time_base": Fraction(1, 12800),
        "frame_rate": Fraction(25),
        "resolution": 1024,
        "creator": "tests",
    }
    return StreamHeader(**(fields | changes))


def motion(frames: int, count: int = 35, seed: int = 1) -> NDArray[np.float32]:
    """Return controls [frames, count] that move the way tracked ones do."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / 25
    rate = rng.uniform(0.2, 4, count)
    smooth = np.sin(2 * np.pi * (rate * t + rng.uniform(0, 1, count)))
    walk = np.cumsum(rng.normal(0, 0.1, (frames, count)), axis=0)
    return (smooth * rng.uniform(0.2, 2, count) + walk).astype(np.float32)


def latent(seed: int = 2) -> NDArray[np.float32]:
    """Return an identity latent [NUM_WS, W_DIM]."""
    rng = np.random.default_rng(seed)
    return (W_MEAN + rng.normal(0, 0.5, (NUM_WS, W_DIM))).astype(np.float32)


def placements(frames: int) -> NDArray[np.float32]:
    """Return a placement track [frames, 4]: a square that drifts and tilts."""
    t = np.arange(frames)[:, None] / 25
    track = np.array([320, 240, 300, 0]) + np.array([9, -4, 6, 0.05]) * np.sin(t)
    result: NDArray[np.float32] = track.astype(np.float32)
    return result


def packets(count: int, size: int = 40, seed: int = 3) -> list[AudioPacket]:
    """Return audio packets of 1024 samples, with decoding and presentation times apart."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, size, count)
    return [
        AudioPacket(1024 * i + 3, 1024 * i, 1024, bytes(rng.integers(0, 256, n, dtype=np.uint8)))
        for i, n in enumerate(sizes.tolist())
    ]


def context_part(first: int, frames: int, seed: int = 5) -> ContextPictures:
    """Return opaque pictures of the context for frames from number `first` on."""
    rng = np.random.default_rng((seed, first))
    packets = [rng.bytes(int(rng.integers(1, 12))) for _ in range(0, frames, 2)]
    return ContextPictures(tuple(512 * (first + i) for i in range(0, frames, 2)), tuple(packets))


def light_tuning(controls: int = 35, styles: int = 150, seed: int = 4) -> bytes:
    """Return the bytes of a light tuning, of some hundred bytes."""
    rng = np.random.default_rng(seed)
    values = rng.laplace(0, 0.1, (controls + 1, styles))
    return pack_light(quantise_light(values, np.full(controls + 1, 0.1)))


AUDIO = AudioParameters("aac", 48000, 2, b"\x11\x90", Fraction(1, 48000))


@dataclass(frozen=True)
class Content:
    """What a stream is written of, but for the number of its frames."""

    head: StreamHeader = field(default_factory=header)
    pts: list[int] | None = None  # every 512 units
    controls: NDArray[np.float32] | None = None  # those of `motion`
    place: bool = True
    flags: list[int] | None = None
    audio: list[AudioPacket] | None = None
    tuning: bytes = b""
    segment_frames: int | None = 10
    context: bool = False  # opaque pictures, one for every other frame


def write(frames: int, out: Any = None, **given: Any) -> bytes:
    """Return the bytes of a stream (or write it to `out`); given: the fields of `Content`."""
    content = Content(**given)
    file = out if out is not None else io.BytesIO()
    controls, audio = content.controls, content.audio or []
    if controls is None:
        controls = motion(frames, content.head.num_controls)
    track = placements(frames)
    with StreamWriter(file, content.head, content.segment_frames) as writer:
        writer.write_identity(latent(), W_MEAN)
        if content.audio is not None:
            writer.set_audio(AUDIO)
        if content.tuning:
            writer.write_tuning(content.tuning)
        if content.context:
            writer.write_context_plate(ContextPlate("av1", 64, 48, bytes(range(40))))
        for i in range(frames):
            if content.context and i % writer.segment_frames == 0:
                writer.write_context(context_part(i, min(writer.segment_frames, frames - i)))
            for packet in audio[2 * i : 2 * i + 2]:
                writer.write_audio(packet)
            writer.write_frame(
                content.pts[i] if content.pts else 512 * i,
                controls[i],
                track[i] if content.place else None,
                content.flags[i] if content.flags else 0,
            )
        for packet in audio[2 * frames :]:
            writer.write_audio(packet)
    return b"" if out is not None else file.getvalue()


def read(data: bytes) -> StreamReader:
    return StreamReader(io.BytesIO(data), "test.fcv")
