"""LPIPS, FID and FVD: measures that need the weights of a network. Absent ones are never replaced.

The weights are installed into the local store (`facecodec model install NAME --from FILE`);
without them the measure is n/a, with the command that brings it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facecodec.errors import ModelError
from facecodec.metrics.evaluation import PairMeasure
from facecodec.metrics.frechet import frechet_distance
from facecodec.metrics.i3d import CLIP_FRAMES, I3D
from facecodec.metrics.inception import Inception
from facecodec.metrics.lpips import Lpips
from facecodec.pixels import to_tensor
from facecodec.types import Picture
from facecodec.weights.networks import how_to_get, load_network, read_tensors
from facecodec.weights.store import installed

CLIP_INTERVAL = 4  # frames from one clip of FVD to the next
WINDOW_FRAMES = 64  # of a window of FVD_w


def load(puppet: bool = False) -> tuple[dict[str, PairMeasure], dict[str, str]]:
    """Return the measures whose weights are installed, by name, and what the others need.

    puppet: those of the puppet's table. Raises ModelError for installed weights that do not fit.
    """
    makers: dict[str, tuple[str, Callable[[dict[str, Tensor]], PairMeasure]]] = {
        "fid": ("fid-inception", lambda t: Fid(fitted(Inception(), t, "fid-inception"))),
        "fvd": ("fvd-i3d", lambda t: Fvd(i3d_of(t))),
    }
    if puppet:
        makers["fvd_w"] = ("fvd-i3d", lambda t: Fvd(i3d_of(t), WINDOW_FRAMES))
    else:
        makers["lpips"] = ("lpips-alexnet", lambda t: MeanLpips(lpips_of(t)))
    available: dict[str, PairMeasure] = {}
    missing: dict[str, str] = {}
    known = installed()
    for measure, (name, make) in makers.items():
        if name not in known:
            missing[measure] = f"needs {name}: {how_to_get(name)}"
        elif measure == "lpips" and heads_file() is None:
            missing[measure] = "needs the torchmetrics package: pip install 'facecodec[eval]'"
        else:
            available[measure] = make(load_network(name))
    return available, missing


class MeanLpips:
    """The mean LPIPS of the pairs."""

    def __init__(self, network: nn.Module) -> None:
        self._network, self._values = network, list[float]()

    def add(self, reference: Picture, distorted: Picture) -> None:
        """Compare a pair, uint8 RGB [S, S, 3]."""
        with torch.inference_mode():
            self._values.append(float(self._network(to_batch(reference), to_batch(distorted))))

    def result(self) -> float | None:
        """Return the mean, or None before the first pair."""
        return float(np.mean(self._values)) if self._values else None


class Fid:
    """The Fréchet distance of the two sequences' Inception features, frames as samples."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])

    def add(self, reference: Picture, distorted: Picture) -> None:
        """Add a pair, uint8 RGB [S, S, 3]."""
        with torch.inference_mode():
            features = self._network(torch.cat([to_batch(reference), to_batch(distorted)]))
        for rows, row in zip(self._rows, features.double().numpy(), strict=True):
            rows.append(row)

    def result(self) -> float | None:
        """Return the distance, or None with fewer than two frames."""
        a, b = (np.array(rows) for rows in self._rows)
        return frechet_distance(a, b)


class Fvd:
    """The Fréchet distance of I3D scores of 16-frame clips, one started every fourth frame.

    `window`: the sequence is cut into windows of that many frames, and the result is their mean.
    """

    def __init__(self, network: nn.Module, window: int | None = None) -> None:
        self._network, self._window = network, window
        self._last: list[tuple[Tensor, Tensor]] = []
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []
        self._done: list[float] = []
        self._count = 0

    def add(self, reference: Picture, distorted: Picture) -> None:
        """Add a pair, uint8 RGB [S, S, 3]; every fourth one completes a clip."""
        self._last = [*self._last[-CLIP_FRAMES + 1 :], (to_batch(reference), to_batch(distorted))]
        self._count += 1
        if len(self._last) == CLIP_FRAMES and (self._count - CLIP_FRAMES) % CLIP_INTERVAL == 0:
            clips = [torch.stack([pair[i][0] for pair in self._last], 1) for i in (0, 1)]
            with torch.inference_mode():
                scores = self._network(torch.stack(clips)).double().numpy()
            self._rows.append((scores[0], scores[1]))
        if self._window and self._count == self._window:
            self._close()

    def _close(self) -> None:
        if len(self._rows) > 1:
            a, b = (np.array(rows) for rows in zip(*self._rows, strict=True))
            distance = frechet_distance(a, b)
            assert distance is not None
            self._done.append(distance)
        self._last, self._rows, self._count = [], [], 0

    def result(self) -> float | None:
        """Return the distance (or mean distance), or None with fewer than two clips."""
        self._close()
        return float(np.mean(self._done)) if self._done else None


def to_batch(picture: Picture) -> Tensor:
    """Return uint8 RGB [S, S, 3] as float32 [1, 3, S, S] in [-1, 1]."""
    return to_tensor(picture[None])


def fitted(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> nn.Module:
    """Return a network with its tensors [...]; those it has no place for are left out.

    Such as a classifier. Raises ModelError for tensors that are missing or of other shapes.
    """
    wanted = network.state_dict()
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    lacking = [key for key in wanted if key not in tensors and key not in counters]
    if lacking:
        raise ModelError(
            f"{name} is another network: {lacking[0]} and {len(lacking) - 1} more are missing"
        )
    try:
        network.load_state_dict({key: tensors[key] for key in wanted if key not in counters}, False)
    except RuntimeError as error:
        raise ModelError(f"{name} is another network: tensors of other shapes") from error
    return network.eval().requires_grad_(False)


def i3d_of(tensors: Mapping[str, Tensor]) -> nn.Module:
    """Return I3D with its tensors [...]. Raises ModelError when they do not fit."""
    return fitted(I3D(), tensors, "fvd-i3d")


def heads_file() -> Path | None:
    """Return torchmetrics' file of LPIPS heads, or None where the package is not installed."""
    spec = find_spec("torchmetrics")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "functional" / "image" / "lpips_models" / "alex.pth"
    return path if path.is_file() else None


def lpips_of(backbone: Mapping[str, Tensor]) -> Lpips:
    """Return LPIPS with an AlexNet's tensors [...]. Raises ModelError when they do not fit."""
    heads = heads_file()
    if heads is None:
        raise ModelError("LPIPS needs the torchmetrics package: pip install 'facecodec[eval]'")
    try:
        return Lpips.of(backbone, read_tensors(heads))
    except (KeyError, RuntimeError) as error:
        raise ModelError("lpips-alexnet is another network: its tensors do not fit") from error
