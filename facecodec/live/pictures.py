"""Live streams as pictures: bytes in, drawn frames out; frames in, bytes out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import (
    AudioParameters,
    FrameFlags,
    IdentityFile,
    load_identity_file,
)
from facecodec.bitstream.coding.identity import parse_identity
from facecodec.errors import StreamError, UsageError
from facecodec.live.decoder import Decoder, LiveFrame
from facecodec.live.opening import open_link
from facecodec.live.settings import LiveSettings
from facecodec.live.sketch import Sketches
from facecodec.live.spare import spare_model, suits
from facecodec.models import Device, FaceModel, load_stream_models
from facecodec.seconds import Time
from facecodec.types import Controls, Picture

_NAME = "the live stream"


@dataclass(frozen=True, eq=False)
class Tracked:
    """What a tracker says of a frame.

    controls: float32 [K], in standard deviations. flags: of FrameFlags. placement: [4], centre x, y
    and side of the face's square in the frame's pixels, angle in radians; None where it has none.
    """

    controls: Controls
    flags: FrameFlags = FrameFlags(0)
    placement: NDArray[np.floating] | None = None


class Tracker(Protocol):
    """What turns a frame into controls; it may remember the frames before."""

    def __call__(self, frame: Picture, time: float) -> Tracked:
        """Return the controls of a frame, uint8 RGB [H, W, 3], at a time in seconds."""
        ...


class Encoder:
    """Frames in, bytes or datagrams out: a tracker, and an encoder of controls behind it.

        encoder = Encoder(avatar, tracker, datagrams=True)
        for packet in encoder.push(frame, time):
            socket.send(packet)

    `link` is the encoder of controls, which also takes audio and answers requests.
    """

    def __init__(
        self,
        avatar: Avatar,
        tracker: Tracker,
        *,
        fps: Time = 30,
        size: tuple[int, int] | None = None,
        datagrams: bool = False,
        audio: AudioParameters | None = None,
        settings: LiveSettings | None = None,
    ) -> None:
        """avatar: who is sent. tracker: turns frames into their controls. The rest: `open_link`."""
        self.tracker = tracker
        self.link = open_link(
            avatar, fps=fps, size=size, datagrams=datagrams, audio=audio, settings=settings
        )

    def push(self, frame: Picture | Tensor, time: Fraction | float) -> bytes | list[bytes]:
        """Take a frame, uint8 RGB [H, W, 3], at a time in seconds; return what is ready.

        Raises UsageError for a frame of another shape or type, what the tracker raises, and what
        `ControlsEncoder.push` does.
        """
        picture = np.asarray(frame.cpu() if isinstance(frame, Tensor) else frame)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise UsageError(
                f"a frame is uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}"
            )
        tracked = self.tracker(picture, float(time))
        return self.link.push(tracked.controls, time, tracked.flags, tracked.placement)

    def flush(self) -> bytes | list[bytes]:
        """Return the frames that wait for a whole segment."""
        return self.link.flush()

    def close(self) -> bytes | list[bytes]:
        """Return what is left, and the end of the stream."""
        return self.link.close()


class PictureDecoder:
    """Bytes in, drawn frames out, of the person as far as they have come.

    First that is the generator's mean face, then the person, then the person with the tuning. Where
    a stream takes the place of another because the same person is known better by now, the person
    of that one is drawn until all of the new one has come.
    `decoder` is the `Decoder` beneath, which also gives audio and counts.
    """

    def __init__(
        self,
        *,
        datagrams: bool = False,
        depth: int | None = None,
        size: int | None = None,
        identity: IdentityFile | str | Path | None = None,
        model: FaceModel | None = None,
        device: Device = "auto",
    ) -> None:
        """Prepare a decoder; the generator that the stream names is loaded when its header comes.

        datagrams, depth: see `Decoder`. size: a side of the pictures in pixels: the generator's
        resolution (when None), half or a quarter of it. identity: the `.fci` file that a stream
        may refer to. model: a loaded generator and rig. device: 'auto', 'cpu' or 'cuda'.
        Raises UsageError for another depth and for a missing file.
        """
        self.decoder = Decoder(datagrams=datagrams, depth=depth)
        self.stage, self.sketches, self.quick_sketches = "nobody", 0, 0
        self.sharpness: int | None = None  # side at which the last picture was sketched
        self._sketches: Sketches | None = None
        self._size, self._device, self._model = size, device, model
        if isinstance(identity, str | Path):
            identity = load_identity_file(identity)
        self._identity = identity
        self._given_model = model is not None
        self._spare: FaceModel | None = None  # for streams that are of it
        self._avatar: Avatar | None = None
        self._drawn: tuple[bytes, ...] = ()  # what the avatar was made of
        self._stream = b""  # whose avatar it is
        self._before: Avatar | None = None  # of a stream whose place this one takes

    def prepare(self) -> None:
        """Load the default generator, for which the first picture then does not wait."""
        if self._model is None:
            self._spare = spare_model(self._device, self._size)

    def feed(self, data: bytes) -> Iterator[tuple[LiveFrame, Picture]]:
        """Take bytes or one datagram; yield each frame whose turn it is, and its picture.

        Pictures are uint8 RGB [size, size, 3], drawn when they are asked for. Raises ModelError
        when the generator is not installed, StreamError for another rig or generator than given,
        and where the stream refers to a `.fci` file that was not given.
        """
        yield from self._draw(self.decoder.feed(data))

    def flush(self) -> Iterator[tuple[LiveFrame, Picture]]:
        """Yield the frames that wait for others, and their pictures [size, size, 3]."""
        yield from self._draw(self.decoder.flush())

    def _draw(self, frames: list[LiveFrame]) -> Iterator[tuple[LiveFrame, Picture]]:
        for frame in frames:
            yield frame, self.draw(frame)

    def draw(self, frame: LiveFrame, sketched: int = 0) -> Picture:
        """Return the picture of a frame, uint8 RGB [size, size, 3]. Raises what `feed` raises.

        sketched: 1 to draw it less sharply, in less time, 2 in less still, where the generator can;
        `sketches` counts both, `quick_sketches` the latter; `sharpness` is the side in pixels at
        which the last picture was sketched, None for a whole one.
        """
        avatar = self.avatar()
        if self._sketches is None or self._sketches.avatar is not avatar:
            self._sketches = Sketches(avatar, avatar.side(self._size))
        if sketched and self._sketches.ready:
            self.sketches += 1
            self.sharpness = self._sketches.side(sketched)
            self.quick_sketches += self.sharpness < self._sketches.side(1)
            return self._sketches.draw(frame.controls, sketched)
        self.sharpness = None
        picture: Picture = avatar.render(frame.controls[None], self._size)[0]
        self._sketches.note(frame.controls, picture)
        return picture

    def avatar(self) -> Avatar:
        """Return the person as far as they have come. Raises StreamError before the header."""
        header = self.decoder.header
        if header is None:
            raise StreamError(f"{_NAME}: its header has not come yet")
        if header.stream_id != self._stream:
            shown = self._avatar or self._before
            self._before = shown if self._stream and self.decoder.refines == self._stream else None
            self._avatar, self._model = None, self._model if self._given_model else None
            self._stream = header.stream_id
        if self._model is None:
            spare = self._spare
            if spare is None or not suits(spare, header):
                spare = load_stream_models(header, _NAME, None, self._device)
            self._spare = self._model = spare
        if self._before is not None:
            if not self.decoder.has_person and suits(self._before.model, header):
                return self._before
            self._before = None
        person, tuning = self._person()
        made_of = _digest(person), _digest(tuning)
        if self._avatar is None or made_of != self._drawn:
            self._avatar, self._drawn = self._made(self._model, person, tuning), made_of
        return self._avatar

    def _person(self) -> tuple[bytes | None, bytes | None]:
        """Return the payload of the identity and the tuning, as far as they have come."""
        wanted = self.decoder.identity_reference
        if wanted is None:
            return self.decoder.identity, self.decoder.tuning
        if self._identity is None or self._identity.sha256 != wanted:
            raise StreamError(f"{_NAME}: give the .fci file with SHA-256 {wanted.hex()}")
        return self._identity.payload, self.decoder.tuning or self._identity.tuning

    def _made(self, model: FaceModel, person: bytes | None, tuning: bytes | None) -> Avatar:
        generator = model.generator
        header = self.decoder.header
        assert header is not None
        if bytes.fromhex(generator.sha256) != header.generator_sha256:
            raise StreamError(f"{_NAME}: made for generator {header.generator_name}, another one")
        if bytes.fromhex(model.rig.sha256) != header.rig_sha256:
            raise StreamError(f"{_NAME}: made with another rig")
        self.stage = "nobody"
        if person is None:
            return Avatar(model, np.tile(model.mean, (generator.num_ws, 1)))
        latent = parse_identity(person, generator.num_ws, generator.w_dim, model.mean)
        self.stage = "person"
        if tuning is None:
            return Avatar(model, latent)
        known = Tuning.from_bytes(tuning, generator, len(model.rig.names))
        self.stage = "tuned person"
        return Avatar(model, latent, known)


def _digest(data: bytes | None) -> bytes:
    return b"" if data is None else hashlib.sha256(data).digest()
