"""Audio as a stream carries it: coded packets, and what a decoder must know of them.

The one type for each in the project: `facecodec.video` reads and writes these.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class AudioParameters:
    """What a muxer or decoder needs to know about the packets of a track.

    codec: libav's common name, such as 'aac' or 'opus'. sample_rate: Hz. channels: how many.
    extradata: the codec's own setup bytes. time_base: seconds per unit of the packets' times.
    """

    codec: str
    sample_rate: int
    channels: int
    extradata: bytes
    time_base: Fraction


@dataclass(frozen=True)
class AudioPacket:
    """One coded packet: when it is heard, when decoded, how long it lasts, and its bytes.

    pts, dts and duration are in units of the track's time base.
    """

    pts: int
    dts: int
    duration: int
    data: bytes
