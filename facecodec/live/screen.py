"""What a receiver shows, and where: pictures and sound to a file, a pipe or a virtual camera."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from facecodec.atomic import STANDARD_OUTPUT
from facecodec.bitstream import AudioPacket, AudioParameters, StreamHeader
from facecodec.decoding.notes import RENDERED_COMMENT
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
MOST_SOUND = 4096  # packets that wait for a picture


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
        self._sound: list[tuple[int, int, AudioPacket]] = []  # that waits, the earliest first
        self._count = itertools.count()  # of packets, to tell those of one time apart
        self._heard: int | None = None  # time of the last packet written, on the sender's clock
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
                self._pass_sound(None)
                self._shift = self._last + RESTART_SECONDS - frame.time
                self._heard = None
            self._stream = frame.stream_id
        time = frame.time + self._shift
        if self._last is not None and time <= self._last:
            return
        self._last = time
        self._pass_sound(time)
        image = fitted(picture, self._size)
        self._background.submit(self._sink.write, image, round(time / TIME_BASE))

    def hear(self, packet: AudioPacket) -> None:
        """Take a packet of sound, in any order: it is written with the picture of its time.

        One that comes after its place was taken is left out.
        """
        if self._heard is not None and packet.pts <= self._heard:
            return
        heapq.heappush(self._sound, (packet.pts, next(self._count), packet))
        if len(self._sound) > MOST_SOUND:
            heapq.heappop(self._sound)

    def _pass_sound(self, until: Fraction | None) -> None:
        """Write the sound up to a time in seconds of the output, all of it for None."""
        if not self.has_audio or self._audio is None or self._background is None:
            return
        assert self._sink is not None
        base = self._audio.time_base
        units = round(self._shift / base)
        while self._sound and (until is None or (self._sound[0][0] + units) * base <= until):
            pts, _, packet = heapq.heappop(self._sound)
            if self._heard is None or pts > self._heard:
                self._heard = pts
                moved = replace(packet, pts=pts + units, dts=pts + units)
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
            if kind is None:
                self._pass_sound(None)
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
