"""What a receiver shows, and where: pictures and sound to a file, a pipe or a virtual camera."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from facecodec.atomic import STANDARD_OUTPUT
from facecodec.bitstream import AudioPacket, AudioParameters, StreamHeader
from facecodec.decoding.decode import RENDERED_COMMENT
from facecodec.decoding.worker import Background
from facecodec.live.decoder import LiveFrame
from facecodec.types import Picture
from facecodec.version import __version__
from facecodec.video.fit import fitted
from facecodec.video.matroska_sink import MatroskaSink
from facecodec.video.sink import Sink
from facecodec.video.writer import open_sink

TIME_BASE = Fraction(1, 90000)  # seconds of a unit of the output's times
RESTART_SECONDS = Fraction(1, 25)  # between the last picture of a sender and its next first one
MOST_SOUND = 4096  # packets that wait for the first picture


class Screen:
    """Opens the output with the first picture, and writes beside the work on the next ones.

    Times go on where a sender begins again. A context manager, which finishes the output.
    """

    def __init__(self, output: str, form: str, wants_audio: bool) -> None:
        """output: see `facecodec.decode`. form: of standard output, 'matroska' or 'y4m'."""
        self._output, self._form, self._wants_audio = output, form, wants_audio
        self._sink: Sink | None = None
        self._background: Background | None = None
        self._audio: AudioParameters | None = None
        self._early: deque[AudioPacket] = deque(maxlen=MOST_SOUND)
        self._stream = b""  # whose times are counted
        self._shift = Fraction(0)  # seconds added to them
        self._last: Fraction | None = None  # time of the last picture
        self._size = (0, 0)
        self.recoded: str | None = None

    @property
    def has_audio(self) -> bool:
        """Whether the output has sound."""
        return self._sink is not None and self._sink.takes_audio

    def show(
        self,
        picture: Picture,
        frame: LiveFrame,
        header: StreamHeader,
        audio: AudioParameters | None,
    ) -> None:
        """Write a picture, uint8 RGB [S, S, 3], once those before it are.

        audio: the parameters of the sound as far as they have come. Raises what writing an earlier
        one has raised.
        """
        if self._sink is None:
            self._open(picture, header, audio)
        assert self._sink is not None and self._background is not None
        if frame.stream_id != self._stream:
            if self._last is not None:
                self._shift = self._last + RESTART_SECONDS - frame.time
            self._stream = frame.stream_id
        time = frame.time + self._shift
        if self._last is not None and time <= self._last:
            return
        self._last = time
        early, self._early = self._early, deque(maxlen=MOST_SOUND)
        for packet in early:
            self._hear(packet)
        image = fitted(picture, self._size)
        self._background.submit(self._sink.write, image, round(time / TIME_BASE))

    def hear(self, packet: AudioPacket) -> None:
        """Write a packet of sound."""
        if self._sink is None:
            self._early.append(packet)
        else:
            self._hear(packet)

    def _hear(self, packet: AudioPacket) -> None:
        if not self.has_audio or self._background is None or self._audio is None:
            return
        assert self._sink is not None
        units = round(self._shift / self._audio.time_base)
        moved = replace(packet, pts=packet.pts + units, dts=packet.dts + units)
        self._background.submit(self._sink.write_audio, moved)

    def _open(self, picture: Picture, header: StreamHeader, audio: AudioParameters | None) -> None:
        self._size = picture.shape[1], picture.shape[0]
        self._audio = audio if self._wants_audio else None
        comment = header.metadata.get("provenance", RENDERED_COMMENT)
        said = {"encoder": f"facecodec {__version__}", "comment": comment}
        if self._output == STANDARD_OUTPUT and self._form == "matroska":
            path = Path(self._output)
            self._sink = MatroskaSink(path, self._size, TIME_BASE, self._audio, said)
        else:
            rate = header.frame_rate
            self._sink = open_sink(self._output, self._size, TIME_BASE, rate, self._audio, said)
        self.recoded = self._sink.recoded
        self._background = Background(self._sink.cancel)
        self._background.__enter__()

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._sink is None or self._background is None:
            return
        try:
            self._background.__exit__(kind, *rest)
            if kind is None:
                self._sink.close()
                return
        except BrokenPipeError:
            if kind is not None or self._output != STANDARD_OUTPUT:
                self._sink.abort()
                raise
            # whoever looked has gone: that is an end like any other
        except BaseException:
            self._sink.abort()
            raise
        self._sink.abort()
