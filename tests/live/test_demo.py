"""The call over UDP on this machine: a second of it."""

from __future__ import annotations

import live_demo


def test_a_second_over_sockets():
    tally, count, _ = live_demo.call(live_demo.TOY, seconds=1, loss=0.1, jitter=0.01)
    assert count == 24 and tally.datagrams >= count and tally.bytes > 0
    assert tally.lost > 0
    assert len(tally.shown) > count // 2
    assert all(tally.shown[i] >= tally.sent[i] for i in tally.shown)
