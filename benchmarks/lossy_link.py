"""A link that loses, delays, doubles and reorders datagrams, by a seed; and what comes through.

For `live_loss.py` and the tests: no sockets and no clock, a packet is a step of time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecodec.live import Decoder, LiveFrame


@dataclass(frozen=True)
class LinkModel:
    """loss: share of packets lost: each for itself, or in bursts of `burst` packets on average.

    late: share of packets that come up to `most_late` packets later. doubled: share of packets that
    come twice.
    """

    loss: float = 0.0
    burst: float | None = None
    late: float = 0.0
    most_late: int = 4
    doubled: float = 0.0

    def through(self, packets: Iterable[bytes], seed: int) -> Iterator[bytes]:
        """Yield the packets that arrive, in the order in which they do."""
        r = random.Random(seed)
        delayed: list[tuple[int, int, bytes]] = []  # when, which, what
        lost = False
        enter, stay = self.loss, self.loss
        if self.burst is not None:
            enter, stay = self.loss / (self.burst * (1 - self.loss)), 1 - 1 / self.burst
        for now, packet in enumerate(packets):
            while delayed and delayed[0][0] <= now:
                yield delayed.pop(0)[2]
            lost = r.random() < (stay if lost else enter)
            if lost:
                continue
            for _ in range(1 + (r.random() < self.doubled)):
                if r.random() < self.late:
                    delayed.append((now + r.randint(1, self.most_late), now, packet))
                    delayed.sort(key=lambda row: row[:2])
                else:
                    yield packet
        yield from (packet for _, _, packet in delayed)


@dataclass
class Outcome:
    """Frames sent; shown as they were sent; put in the place of lost ones; neither; shown as sent
    though they are not; the most frames in a row that were not shown as sent."""

    sent: int
    shown: int = 0
    held: int = 0
    missing: int = 0
    wrong: int = 0
    longest: int = 0


def receive(
    packets: Iterable[bytes], sent: NDArray[np.float32], depth: int = 2, first: int = 0
) -> Outcome:
    """Decode packets; hold what comes against the controls that were `sent`, [frames, K].

    first: the first frame to count, for a receiver that comes late.
    """
    decoder = Decoder(datagrams=True, depth=depth)
    outcome = Outcome(len(sent) - first)
    exact = np.zeros(len(sent), bool)
    came = np.zeros(len(sent), bool)

    def take(frames: Iterable[LiveFrame]) -> None:
        for frame in frames:
            came[frame.index] = True
            if not frame.recovered:
                exact[frame.index] = True
                outcome.wrong += not np.array_equal(frame.controls, sent[frame.index])

    for packet in packets:
        take(decoder.feed(packet))
    take(decoder.flush())
    outcome.shown = int(exact[first:].sum())
    outcome.held = int((came & ~exact)[first:].sum())
    outcome.missing = outcome.sent - outcome.shown - outcome.held
    run = 0
    for good in exact[first:]:
        run = 0 if good else run + 1
        outcome.longest = max(outcome.longest, run)
    return outcome
