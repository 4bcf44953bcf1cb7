"""A tracker that keeps up: fewer steps first, then fewer frames."""

from __future__ import annotations

from facecodec.encoding.pace import LATE_SINCE, TOO_LATE_SINCE, Pace

INTERVAL = 0.04  # seconds from one frame to the next


class Machine:
    """Frames come one after the other, and each step takes some seconds, on a clock of its own."""

    def __init__(self, step: float, rest: float = 0.0) -> None:
        self.now, self.step, self.rest = 100.0, step, rest
        self.pace = Pace(lambda: self.now)

    def run(self, frames: int) -> list[int]:
        """Return the steps that each frame got; all of them wait until they are taken."""
        begin, taken = self.now, []
        for i in range(frames):
            self.now = max(self.now, begin + i * INTERVAL)
            taken.append(self.work(i * INTERVAL))
        self.behind = self.now - (begin + frames * INTERVAL)
        return taken

    def work(self, shown: float) -> int:
        steps = self.pace.steps(2, shown)
        self.now += steps * self.step + self.rest * (steps > 0)
        self.pace.done()
        return steps


def test_a_fast_machine_takes_all_steps():
    assert set(Machine(0.012).run(50)) == {2}


def test_a_slower_one_takes_fewer_steps_and_drops_nothing():
    machine = Machine(0.025)
    taken = machine.run(200)
    assert machine.pace.dropped == 0 and machine.pace.hurried == taken.count(1) > 20
    assert machine.behind < 0.1


def test_a_slow_one_drops_frames_and_never_falls_behind():
    machine = Machine(0.06, rest=0.02)
    taken = machine.run(400)
    assert 0.3 < machine.pace.dropped / 400 < 0.7 and taken.count(0) == machine.pace.dropped
    assert machine.behind < 0.25


def test_frames_that_somebody_else_dropped_are_not_waited_for():
    """A capture that keeps the newest frame alone: it is late by less than an interval."""
    machine, begin, shown = Machine(0.04), 100.0, 0.0
    taken = []
    for _ in range(100):
        taken.append(machine.work(shown))
        newest = (machine.now - begin) // INTERVAL * INTERVAL
        shown = max(newest, shown + INTERVAL)
        machine.now = max(machine.now, begin + shown)
    assert machine.pace.dropped == 0 and taken.count(1) > 20


def test_it_is_told_when_a_frame_came():
    pace = Pace(lambda: 100.0)
    waited = [late + i for late in (LATE_SINCE, TOO_LATE_SINCE) for i in (-0.001, 0.001)]
    assert [pace.steps(2, 0.0, 100.0 - late) for late in waited] == [2, 1, 1, 0]
    assert (pace.hurried, pace.dropped) == (2, 1)


def test_a_pause_is_caught_up_with():
    machine = Machine(0.012)
    machine.run(5)
    machine.now += 10  # something else was done meanwhile
    assert set(machine.run(30)) == {2}
