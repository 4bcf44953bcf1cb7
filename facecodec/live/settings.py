"""How a live stream is made: how often it can be entered, what is repeated, how large it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facecodec.bitstream.coding.steps import step_codes, steps_from_codes
from facecodec.bitstream.limits import MAX_GROUP_FRAMES, MAX_SEGMENT_FRAMES
from facecodec.errors import UsageError

MIN_PACKET_BYTES = 256
MAX_PACKET_BYTES = 65_000
MAX_COPIES = 16
# benchmarks/live_rate.py: 2 % fewer bytes for 4 % more quantisation error than the nearest level.
DEFAULT_SLACK_STEPS = 0.6
SLACK_RANGE = (0.5, 1.0)


@dataclass(frozen=True)
class LiveSettings:
    """What a sender may choose.

    segment_frames: frames that are sent together; one is the least delay, three the fewest bytes.
    key_frames: the most frames from a segment that stands alone (a key) to the next: how long one
    who comes late or has lost something waits.
    slack_steps: how far what is sent may be from a control, in steps of the quantiser, 0.5 to 1. A
    value that stays within it keeps its level, which costs the fewest bits and does not flicker;
    0.5 is the nearest level.
    control_steps: the quantiser step of every control, of which a stream takes the nearest that it
    can name; the rig's when None. `PersonTracker.quantiser` has those that suit a person.
    person_bytes: how many bytes of the person go with each segment until all have been sent, more
    after frames that the source left out; None sends all at once, before the first frame.
    person_frames: after so many frames the person is sent again, for those who came late; None
    never.
    header_keys: the header is repeated before every so many keys; None never.
    copies: of packets: how many segments before it each packet repeats, so that a loss of so many
    packets in a row costs nothing. packet_bytes: the largest datagram, but for a segment or
    a packet of audio that alone is larger.
    """

    segment_frames: int = 1
    key_frames: int = 150
    slack_steps: float = DEFAULT_SLACK_STEPS
    control_steps: tuple[float, ...] | None = None
    person_bytes: int | None = None
    person_frames: int | None = None
    header_keys: int | None = None
    copies: int = 0
    packet_bytes: int = 1200

    def __post_init__(self) -> None:
        """Raise UsageError for a value out of range."""
        limits: tuple[tuple[str, float | None, float, float], ...] = (
            ("segment_frames", self.segment_frames, 1, MAX_SEGMENT_FRAMES),
            ("key_frames", self.key_frames, 1, MAX_GROUP_FRAMES),
            ("slack_steps", self.slack_steps, *SLACK_RANGE),
            ("person_bytes", self.person_bytes, 1, MAX_PACKET_BYTES),
            ("person_frames", self.person_frames, 1, 1 << 30),
            ("header_keys", self.header_keys, 1, 1 << 30),
            ("copies", self.copies, 0, MAX_COPIES),
            ("packet_bytes", self.packet_bytes, MIN_PACKET_BYTES, MAX_PACKET_BYTES),
        )
        for name, value, low, high in limits:
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} is {value}, allowed is {low} to {high}")
        if not all(0 < step < math.inf for step in self.control_steps or ()):
            raise UsageError("control_steps: every step is a positive number")

    def changed(self, **changes: float | None) -> LiveSettings:
        """Return these settings but for `changes` that are not None."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **given)  # type: ignore[arg-type]

    def storable_steps(self, count: int) -> NDArray[np.float32]:
        """Return the steps [count] that a stream can name nearest to `control_steps`.

        Raises UsageError for another number of them, or none.
        """
        steps = self.control_steps or ()
        if len(steps) != count:
            raise UsageError(f"control_steps: {len(steps)}, and there are {count} controls")
        return steps_from_codes(step_codes(np.array(steps)))

    @classmethod
    def for_packets(cls, **changes: float | None) -> LiveSettings:
        """Return what suits a link that loses packets, but for `changes`.

        A key with the header every two seconds of 30 frames, two copies, and the person at some 15
        kilobits a second, again ten seconds after all of it was sent.
        """
        usual: dict[str, float | None] = {
            "key_frames": 60,
            "person_bytes": 64,
            "person_frames": 300,
            "header_keys": 1,
            "copies": 2,
        }
        return cls(**(usual | changes))  # type: ignore[arg-type]
