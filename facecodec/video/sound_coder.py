"""Decoded sound to packets of another codec, in step: silence stands where sound is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import av
import numpy as np

from facecodec.video.source import AnyPacket

SHORTEST_GAP_SECONDS = Fraction(1, 20)  # that is filled with silence
# that is filled: a file may say that its sound goes on in a million years
LONGEST_GAP_SECONDS = Fraction(3600)
MAX_CODED_CHANNELS = 2


class SoundCoder:
    """Gives an encoder samples whose times go on from those before, from 0 on.

    Sound before 0 is cut off. Not for several threads at once.
    """

    def __init__(
        self,
        encode: Callable[[av.AudioFrame | None], Iterable[AnyPacket]],
        sample_format: str,
        layout: str,
        rate: int,
    ) -> None:
        """encode: codes a frame of that format, layout and rate (Hz); with None, what is left."""
        self._encode, self._layout, self._rate = encode, layout, rate
        self._resampler = av.AudioResampler(sample_format, layout, rate)
        self._next: int | None = None  # the time of the next sample, in units of 1 / rate

    def start(self, time: Fraction) -> None:
        """Say when the first sample is heard, in seconds; later calls change nothing."""
        if self._next is None:
            self._next = round(time * self._rate)

    def add(self, frames: list[av.AudioFrame], begin: Fraction | None) -> list[AnyPacket]:
        """Return the packets that frames in a row make; `begin`: of the first one, in seconds."""
        if not frames:
            return []
        if begin is not None:
            self.start(begin)
        packets = [] if begin is None else self._silence(begin)
        for frame in frames:
            frame.pts = None
            packets += self._coded(self._resampler.resample(frame))
        return packets

    def flush(self) -> list[AnyPacket]:
        """Return what is left, and end."""
        return self._coded(self._resampler.resample(None)) + list(self._encode(None))

    def _silence(self, begin: Fraction) -> list[AnyPacket]:
        """Return silence up to a time in seconds, where sound before it is lost."""
        packets: list[AnyPacket] = []
        gap = begin - Fraction(self._next or 0, self._rate)
        if gap < SHORTEST_GAP_SECONDS:
            return packets
        left = round(min(gap, LONGEST_GAP_SECONDS) * self._rate)
        while left > 0:
            count = min(left, self._rate)
            frame = av.AudioFrame(self._resampler.format, self._layout, count)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate = self._rate
            packets += self._coded([frame])
            left -= count
        return packets

    def _coded(self, frames: list[av.AudioFrame]) -> list[AnyPacket]:
        packets: list[AnyPacket] = []
        for frame in frames:
            begin = self._next or 0
            self._next = begin + frame.samples
            heard = _without(frame, -begin)
            if heard is not None:
                heard.pts, heard.time_base = max(begin, 0), Fraction(1, self._rate)
                packets += self._encode(heard)
        return packets


def _without(frame: av.AudioFrame, count: int) -> av.AudioFrame | None:
    """Return a frame without its first `count` samples, None where it has no others."""
    if count <= 0:
        return frame
    if count >= frame.samples:
        return None
    # a row a channel, or one row of all channels in turn
    samples = frame.to_ndarray().astype(np.float32)
    width = 1 if frame.format.is_planar else frame.layout.nb_channels
    rest = np.ascontiguousarray(samples[:, count * width :])
    cut = av.AudioFrame.from_ndarray(rest, frame.format.name, frame.layout.name)
    cut.sample_rate = frame.sample_rate
    return cut
