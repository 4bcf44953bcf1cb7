"""Live streams for the tests: toy motion through the encoders for pipes and for datagrams."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream import AudioPacket, StreamHeader, pack_identity
from facecodec.live import ControlsEncoder, LivePerson, LiveSettings, PacketEncoder
from tests.helpers import toy_streams

RATE = Fraction(30)
STREAM_ID = b"toy live"
TUNING = toy_streams.light_tuning(styles=20)


def header(**changes: Any) -> StreamHeader:
    fields: dict[str, Any] = {"frame_rate": RATE, "time_base": Fraction(1, 90000)}
    return toy_streams.header(**(fields | changes))


def person(tuning: bytes | None = TUNING) -> LivePerson:
    return LivePerson(
        identity=pack_identity(toy_streams.latent(), toy_streams.W_MEAN), tuning=tuning
    )


def feed(
    encoder: ControlsEncoder | PacketEncoder,
    frames: int,
    *,
    times: list[Fraction] | None = None,
    flags: list[int] | None = None,
    audio: list[AudioPacket] | None = None,
    controls: NDArray[np.float32] | None = None,
) -> Iterator[Any]:
    """Push frames and audio; yield what each push, and the end, returns."""
    motion = toy_streams.motion(frames, encoder.header.num_controls)
    controls = motion if controls is None else controls
    track = toy_streams.placements(frames)
    for i in range(frames):
        for packet in (audio or [])[2 * i : 2 * i + 2]:
            encoder.push_audio(packet)
        time = times[i] if times else i / RATE
        place = None if i % 7 == 3 else track[i]
        yield encoder.push(controls[i], time, flags[i] if flags else 0, place)
    yield encoder.close()


def stream(frames: int, head: StreamHeader | None = None, **settings: Any) -> bytes:
    """Return a stream of toy motion, with a tuning and without audio."""
    encoder = ControlsEncoder(
        head or header(),
        person(),
        settings=LiveSettings(**settings),
        stream_id=STREAM_ID,
    )
    return b"".join(feed(encoder, frames))


def packets(frames: int, stream_id: bytes = STREAM_ID, **settings: Any) -> list[bytes]:
    """Return the datagrams of toy motion."""
    chosen = LiveSettings.for_packets(**settings)
    encoder = PacketEncoder(header(), person(), settings=chosen, stream_id=stream_id)
    return [packet for made in feed(encoder, frames) for packet in made]
