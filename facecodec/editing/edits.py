"""Edits of motion: each takes the controls of all frames and returns others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from facecodec.arguments import opened_input
from facecodec.editing.motion import StreamMotion
from facecodec.editing.tables import kind_of, read_table
from facecodec.errors import UsageError
from facecodec.rig.choice import ALL, controls_of
from facecodec.rig.regions import Region
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.types import Controls

SMOOTH_SECONDS = 0.1  # standard deviation of the Gaussian by which motion is smoothed
STABILISE_SECONDS = 1.0  # the same of pose that is steadied: slow turns stay
MAX_SECONDS = 10.0
WINDOW_DEVIATIONS = 3.0  # standard deviations at which the Gaussian ends


class Edit(Protocol):
    """One change of a stream's motion. Controls are in standard deviations."""

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        ...

    def check(self, rig: Rig) -> None:
        """Raise UsageError, before a frame is read, for what cannot be done with this rig."""
        ...

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] of a motion after the edit."""
        ...


@dataclass(frozen=True)
class Set:
    """Give controls one value in every frame.

    which: a control's title or name, a region, or "all". value: in standard deviations.
    """

    which: str
    value: float

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        return f"set {self.which} to {self.value:g}"

    def check(self, rig: Rig) -> None:
        """Raise UsageError for an unknown name and a value that is not finite."""
        controls_of(rig, self.which)
        _finite(self.which, self.value)

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit."""
        result = motion.controls.copy()
        result[:, controls_of(rig, self.which)] = self.value
        return result


@dataclass(frozen=True)
class Gain:
    """Multiply controls, counted from 0, the person's face in the identity frame.

    which: a control's title or name, a region, or "all". factor: 0 holds still, below 0 mirrors.
    """

    which: str
    factor: float

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        return f"gain {self.which} by {self.factor:g}"

    def check(self, rig: Rig) -> None:
        """Raise UsageError for an unknown name and a factor that is not finite."""
        controls_of(rig, self.which)
        _finite(self.which, self.factor)

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit."""
        result = motion.controls.copy()
        result[:, controls_of(rig, self.which)] *= np.float32(self.factor)
        return result


@dataclass(frozen=True)
class Smooth:
    """Smooth controls over time, without lag: a Gaussian over the times of the frames.

    seconds: its standard deviation, up to 10. which: a control's title or name, a region, or "all".
    """

    seconds: float = SMOOTH_SECONDS
    which: str = ALL

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        return f"smooth {self.which} over {self.seconds:g} s"

    def check(self, rig: Rig) -> None:
        """Raise UsageError for an unknown name and seconds that are not above 0 and up to 10."""
        controls_of(rig, self.which)
        if not 0 < self.seconds <= MAX_SECONDS:
            raise UsageError(f"{self.seconds:g} seconds of smoothing: not in 0 to {MAX_SECONDS:g}")

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit."""
        which = controls_of(rig, self.which)
        pts, values = motion.pts, motion.controls[:, which].astype(np.float64)
        deviations = float(motion.time_base) / self.seconds
        total, weight = values.copy(), np.ones((len(pts), 1))
        for apart in range(1, len(pts)):
            distance = (pts[apart:] - pts[:-apart]) * deviations
            if distance.min() > WINDOW_DEVIATIONS:
                break
            share = np.exp(-(distance**2) / 2) * (distance <= WINDOW_DEVIATIONS)
            total[apart:] += share[:, None] * values[:-apart]
            total[:-apart] += share[:, None] * values[apart:]
            weight[apart:, 0] += share
            weight[:-apart, 0] += share
        result = motion.controls.copy()
        result[:, which] = total / weight
        return result


@dataclass(frozen=True)
class Stabilise:
    """Steady the head: its pose is smoothed until only slow turns are left.

    seconds: as of `Smooth`. Where the square lies in the source's frame stays as it was.
    """

    seconds: float = STABILISE_SECONDS

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        return f"stabilise over {self.seconds:g} s"

    def check(self, rig: Rig) -> None:
        """Raise UsageError for seconds that are not above 0 and up to 10."""
        Smooth(self.seconds).check(rig)

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit."""
        return Smooth(self.seconds, Region.POSE).applied(motion, rig)


@dataclass(frozen=True)
class Neutral:
    """Rest the face: all controls but those of pose are 0, as in the identity frame."""

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        return "neutral face"

    def check(self, rig: Rig) -> None:
        """Do nothing: every rig has a face at rest."""

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit."""
        result = motion.controls.copy()
        result[:, NUM_POSE:] = 0
        return result


@dataclass(frozen=True)
class LookAtCamera:
    """Hold the gaze where the person looks in the identity frame, most often at the camera.

    Gaze of 0 stays on the camera while the head turns, as that of the generator's faces does.
    """

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        return "look at the camera"

    def check(self, rig: Rig) -> None:
        """Raise UsageError for a rig without a control of gaze."""
        controls_of(rig, Region.GAZE)

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit."""
        return Set(Region.GAZE, 0.0).applied(motion, rig)


@dataclass(frozen=True)
class Keys:
    """Move a control from key to key, easing from one to the next.

    which: a control's title or name. keys: frames from 0, rising, each with a value in standard
    deviations, or None for the stream's own there. The first and the last hold beyond them.
    """

    which: str
    keys: tuple[tuple[int, float | None], ...]

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        first, last = self.keys[0][0], self.keys[-1][0]
        return f"{len(self.keys)} keys of {self.which} in frames {first} to {last}"

    def check(self, rig: Rig) -> None:
        """Raise UsageError for an unknown name, and for keys that are none, fall or not finite."""
        if len(controls_of(rig, self.which)) != 1:
            raise UsageError(f"{self.which!r} is no single control")
        frames = [frame for frame, _ in self.keys]
        if not frames or frames[0] < 0 or frames != sorted({*frames}):
            raise UsageError(f"{self.which}: frames of keys must rise from 0 on")
        for _, value in self.keys:
            _finite(self.which, 0.0 if value is None else value)

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit."""
        which = controls_of(rig, self.which)[0]
        own = motion.controls[:, which].astype(np.float64)
        frames = np.array([frame for frame, _ in self.keys])
        ends = [own if value is None else np.full(len(own), value) for _, value in self.keys]
        number = np.arange(len(own))
        after = np.clip(np.searchsorted(frames, number), 0, len(frames) - 1)
        before = np.maximum(after - 1, 0)
        length = np.maximum(frames[after] - frames[before], 1)
        s = np.clip((number - frames[before]) / length, 0, 1)
        ease = np.where(after > before, s * s * (3 - 2 * s), 1.0)
        values = np.stack(ends)
        result = motion.controls.copy()
        result[:, which] = values[before, number] * (1 - ease) + values[after, number] * ease
        return result


@dataclass(frozen=True)
class Replace:
    """Take controls from a table, as `facecodec.export` writes it: .csv, .json or .npz.

    Columns are found by the title or name of a control, rows by the number of their frame, or as
    many as the stream has frames. Controls and frames that the table does not have stay. Columns
    may be the 52 blendshapes instead, as face trackers name them: they set all but the pose.
    """

    path: str | Path

    @property
    def note(self) -> str:
        """Return what the stream says of it."""
        return f"controls from {Path(self.path).name}"

    def check(self, rig: Rig) -> None:
        """Raise UsageError for a file that is missing, or has no ending of a table."""
        kind_of(self.path)
        opened_input(self.path, "a table of controls").close()

    def applied(self, motion: StreamMotion, rig: Rig) -> Controls:
        """Return the controls [T, K] after the edit. Raises UsageError for frames there are not."""
        table = read_table(self.path, rig)
        result = motion.controls.copy()
        result[table.rows(len(result))[:, None], table.numbers] = table.values
        return result


def _finite(which: str, value: float) -> None:
    if not math.isfinite(value):
        raise UsageError(f"{which}={value}: give a finite number")
