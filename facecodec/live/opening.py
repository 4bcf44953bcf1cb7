"""An encoder for an avatar: the header and the person, for a pipe or for datagrams."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Literal, overload

from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import AudioParameters, pack_identity
from facecodec.encoding.write import new_header
from facecodec.errors import UsageError
from facecodec.live.encoder import ControlsEncoder
from facecodec.live.link import REFINES, TUNE
from facecodec.live.packet_encoder import PacketEncoder
from facecodec.live.person import LivePerson
from facecodec.live.settings import LiveSettings
from facecodec.seconds import Time, seconds

TIME_BASE = Fraction(1, 90000)  # seconds, as RTP counts video


@overload
def open_link(
    avatar: Avatar,
    *,
    fps: Time = 30,
    size: tuple[int, int] | None = None,
    datagrams: Literal[False] = False,
    audio: AudioParameters | None = None,
    settings: LiveSettings | None = None,
    person: LivePerson | None = None,
) -> ControlsEncoder: ...
@overload
def open_link(
    avatar: Avatar,
    *,
    fps: Time = 30,
    size: tuple[int, int] | None = None,
    datagrams: Literal[True],
    audio: AudioParameters | None = None,
    settings: LiveSettings | None = None,
    person: LivePerson | None = None,
) -> PacketEncoder: ...
@overload
def open_link(
    avatar: Avatar,
    *,
    fps: Time = 30,
    size: tuple[int, int] | None = None,
    datagrams: bool,
    audio: AudioParameters | None = None,
    settings: LiveSettings | None = None,
    person: LivePerson | None = None,
) -> ControlsEncoder | PacketEncoder: ...
def open_link(
    avatar: Avatar,
    *,
    fps: Time = 30,
    size: tuple[int, int] | None = None,
    datagrams: bool = False,
    audio: AudioParameters | None = None,
    settings: LiveSettings | None = None,
    person: LivePerson | None = None,
) -> ControlsEncoder | PacketEncoder:
    """Return an encoder of an avatar's controls: bytes for a pipe, or `datagrams`.

    fps: frames a second, as the clock of the stream says them; frames may come at any time. size:
    width and height of the frames in pixels, the avatar's own when None. audio: the parameters of
    the sound. settings: see `LiveSettings`. person: what is sent of the avatar, such as a reference
    to a `.fci` file; all of it when None. Raises UsageError for what a stream cannot say.
    """
    rate = seconds(fps)
    if not rate:
        raise UsageError(f"a live stream has some frames a second, not {fps!r}", argument="fps")
    size = size or (avatar.resolution, avatar.resolution)
    header = new_header(avatar.model, size, TIME_BASE, rate)
    if person is not None and person.refines is not None:
        tune = "none" if avatar.tuning is None else avatar.tuning.kind
        header = replace(header, metadata={REFINES: person.refines.hex(), TUNE: tune})
    if settings is not None and settings.control_steps is not None:
        header = replace(header, control_steps=settings.storable_steps(avatar.num_controls))
    if person is None:
        identity = pack_identity(avatar.latent, avatar.model.mean)
        tuning = None if avatar.tuning is None else avatar.tuning.to_bytes()
        person = LivePerson(identity, tuning=tuning)
    made = PacketEncoder if datagrams else ControlsEncoder
    return made(header, person, audio, settings)
