"""A rig: the meaning of the controls for one generator, and how they move its styles."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facecodec.arguments import opened_input
from facecodec.errors import ModelError
from facecodec.face.signals import NUM_POSE as NUM_POSE
from facecodec.rig.regions import Region

if TYPE_CHECKING:  # names and regions of controls are read by commands that never load torch
    from torch import Tensor

    from facecodec.generator.base import Generator

W_DIM = 512  # numbers of a direction in W, as `Generator.w_dim`
MAX_CONTROLS = 64  # of a rig, pose included: more do not fit into a stream
MAX_TITLE = 60  # characters of a control's title
# Quantiser steps at quality 60, in standard deviations of a control:
POSE_STEP = 0.03
OFFSET_STEP = 0.25  # of a channel of median energy
OFFSET_STEP_RANGE = (0.5, 2.0)  # that the step of any channel may be times that one
EXPRESSION_STEP = 0.2
EXPRESSION_ROWS = slice(2, 8)  # of W+: the rows before place the head, the rows after paint it


@dataclass(frozen=True)
class PoseAxis:
    """One head-pose control: a direction in W, added to the first `rows` rows of W+.

    `direction` [w_dim] moves the pose by one standard deviation over the generator's faces, whose
    signals have the standard deviation `std`. `correlation` (-1 to 1) is how well W predicts this
    pose on faces it was not fitted on.
    """

    name: str
    direction: tuple[float, ...]
    rows: int
    correlation: float
    std: float


@dataclass(frozen=True)
class Offset:
    """One control of a single StyleSpace channel, in units of its standard deviation `std`.

    `energy` is the root of the squared picture change inside `region` per unit (see
    facecodec.rig.sensitivity), and `locality` the share of all squared change that falls there,
    0 to 1.
    """

    layer: str
    channel: int
    std: float
    region: str
    energy: float
    locality: float

    @property
    def name(self) -> str:
        """Return layer and channel as one word: `3.up/464`."""
        return f"{self.layer}/{self.channel}"


@dataclass(frozen=True)
class ExpressionAxis:
    """One control of a whole expression: a direction in W, added to `EXPRESSION_ROWS` of W+.

    `direction` [w_dim] changes the face by one standard deviation over the generator's faces.
    """

    name: str
    direction: tuple[float, ...]


@dataclass(frozen=True)
class Rig:
    """The controls of the generator whose tensors hash to `generator_sha256`.

    First the pose axes, then the offsets: single channels of StyleSpace, then whole expressions, of
    which there may be none. `samples` faces, drawn with `seed`, were measured to choose them.
    `titles` say in words what each control does where it rises; a rig may have none.
    """

    generator: str
    generator_sha256: str
    seed: int
    samples: int
    pose: tuple[PoseAxis, ...]
    offsets: tuple[Offset, ...]
    expressions: tuple[ExpressionAxis, ...] = ()
    titles: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the controls in order."""
        return (
            *(axis.name for axis in self.pose),
            *(offset.name for offset in self.offsets),
            *(axis.name for axis in self.expressions),
        )

    @property
    def regions(self) -> tuple[str, ...]:
        """Return the region of each control in order, a value of `Region`."""
        offsets = tuple(offset.region for offset in self.offsets)
        pose = (str(Region.POSE),) * len(self.pose)
        return pose + offsets + (str(Region.EXPRESSION),) * len(self.expressions)

    @property
    def shown_titles(self) -> tuple[str, ...]:
        """Return what people are shown of each control in order: its title, or else its name."""
        return self.titles or self.names

    @property
    def steps(self) -> NDArray[np.float64]:
        """Return the quantiser step of each control at the default quality, float64 [num_controls].

        A channel that changes the picture more is stepped more finely: the step falls with the
        square root of its energy, so that the error each leaves in the picture is the same.
        """
        energy = np.array([offset.energy for offset in self.offsets])
        usual = np.median(energy) if len(energy) else 0.0
        offsets = OFFSET_STEP * np.sqrt(usual / np.maximum(energy, 1e-9))
        pose = np.full(len(self.pose), POSE_STEP)
        smallest, largest = OFFSET_STEP_RANGE
        offsets = np.clip(offsets, smallest * OFFSET_STEP, largest * OFFSET_STEP)
        return np.concatenate([pose, offsets, np.full(len(self.expressions), EXPRESSION_STEP)])

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the canonical JSON, the rig's identity.

        A rig without expressions hashes as it did when rigs could not have any: as if it had no
        such field. Titles are words for people, and no part of what a rig is.
        """
        meaning = asdict(self)
        del meaning["titles"]
        if not self.expressions:
            del meaning["expressions"]
        return hashlib.sha256(_json(meaning).encode()).hexdigest()

    def basis(self, generator: Generator) -> Tensor:
        """Return the controls' effect on the style vector, float32 [num_controls, num_styles].

        Affine layers are linear, so a direction in W is a direction in StyleSpace too:
        styles(person, controls) = styles(person) + controls @ basis.
        Raises ModelError when the rig was made for another generator.
        """
        if generator.sha256 != self.generator_sha256:
            raise ModelError(
                f"the rig was made for generator {self.generator_sha256[:12]}, "
                f"but {generator.name} is {generator.sha256[:12]}"
            )
        import torch

        channels = torch.zeros(
            len(self.offsets), generator.num_styles, device=generator.w_mean.device
        )
        for row, offset in zip(channels, self.offsets, strict=True):
            row[generator.channel(offset.layer, offset.channel)] = offset.std
        turns = [(axis.direction, slice(axis.rows)) for axis in self.pose]
        moves = [(axis.direction, EXPRESSION_ROWS) for axis in self.expressions]
        pose, whole = torch.split(in_styles(generator, turns + moves), [len(turns), len(moves)])
        return torch.cat([pose, channels, whole])

    def save(self, path: Path) -> None:
        """Write the rig as JSON."""
        path.write_text(self.as_json())

    def as_json(self) -> str:
        """Return the text of a rig file."""
        return _json(asdict(self)) + "\n"

    @classmethod
    def load(cls, path: Path) -> Rig:
        """Read a rig. Raises UsageError when the file is missing, ModelError when it is damaged.

        A rig has three pose axes and at least one other control, `MAX_CONTROLS` in all at most.
        """
        try:
            with opened_input(path, "a rig") as file:
                data = json.load(file)
            data["pose"] = tuple(
                PoseAxis(**{**axis, "direction": tuple(axis["direction"])}) for axis in data["pose"]
            )
            data["offsets"] = tuple(Offset(**offset) for offset in data["offsets"])
            data["expressions"] = tuple(
                ExpressionAxis(str(axis["name"]), tuple(axis["direction"]))
                for axis in data.get("expressions", ())
            )
            data["titles"] = tuple(data.get("titles", ()))
            rig = cls(**data)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(f"{path} is not a rig: {error}") from error
        count = len(rig.names)
        if len(rig.pose) != NUM_POSE or not NUM_POSE < count <= MAX_CONTROLS:
            raise ModelError(
                f"{path} has {count} controls, {len(rig.pose)} of them of pose; "
                f"a rig has {NUM_POSE + 1} to {MAX_CONTROLS}, {NUM_POSE} of them of pose"
            )
        _check_titles(path, rig)
        axes: tuple[PoseAxis | ExpressionAxis, ...] = (*rig.pose, *rig.expressions)
        for axis in axes:
            try:
                values = np.array(axis.direction, dtype=np.float64)
            except (ValueError, TypeError):
                values = np.zeros(0)
            if values.shape != (W_DIM,) or not np.isfinite(values).all():
                raise ModelError(f"{path}: {axis.name} is no direction of {W_DIM} finite numbers")
        return rig


def _check_titles(path: Path, rig: Rig) -> None:
    """Raise ModelError unless every control of a rig has a title of its own, or none has any."""
    titles = rig.titles
    words = [title.casefold() for title in titles if isinstance(title, str)]
    whole = len(words) == len(titles) and all(0 < len(word) <= MAX_TITLE for word in words)
    if titles and not (whole and len({*words}) == len(rig.names)):
        raise ModelError(
            f"{path}: titles are {len(rig.names)} different texts of 1 to {MAX_TITLE} characters"
        )


def in_styles(generator: Generator, moves: Sequence[tuple[tuple[float, ...], slice]]) -> Tensor:
    """Return how moves along directions in W change the style vector, [N, num_styles].

    Each of the N moves is a direction [w_dim] and the rows of W+ to which it is added.
    """
    import torch

    rows = torch.zeros(len(moves) + 1, generator.num_ws, generator.w_dim)
    for i, (direction, where) in enumerate(moves):
        rows[i + 1, where] = torch.tensor(direction)
    with torch.no_grad():
        styles = generator.styles(rows.to(generator.w_mean.device))
    return styles[1:] - styles[:1]


def _json(data: dict[str, object]) -> str:
    return json.dumps(data, indent=1, sort_keys=True)


def shipped_rigs() -> Iterator[Rig]:
    """Yield the rigs that ship with this package."""
    for path in sorted(Path(__file__).parent.glob("*.json")):
        yield Rig.load(path)


def load_rig(generator: Generator) -> Rig:
    """Return the rig that ships with this package for a generator.

    Raises ModelError, naming the command that makes one, when there is none.
    """
    for rig in shipped_rigs():
        if rig.generator_sha256 == generator.sha256:
            return rig
    raise ModelError(
        f"no rig ships for generator {generator.name}: make one with `facecodec rig discover`, "
        "and name its file",
        argument="rig",
    )
