"""From a scanned clip to the person: choose frames, invert them to one identity latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facecodec.bitstream.coding.identity import pack_identity, parse_identity
from facecodec.clip.occlusion import visible
from facecodec.clip.scan import Scan, Span, crops
from facecodec.encoding.presets import Preset
from facecodec.encoding.recovery import recovery
from facecodec.errors import UsageError
from facecodec.fit.frame_selection import select_identity_frame, select_keyframes
from facecodec.fit.inversion import invert
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target, weight_map
from facecodec.generator.base import Generator
from facecodec.pixels import to_tensor
from facecodec.progress import Progress
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.video.reader import VideoReader

TRUSTED = 0.7  # held-out correlation of a pose axis with the landmarks
FARTHEST = 3.0  # standard deviations


@dataclass(frozen=True)
class Examples:
    """Frames whose controls are known: signals [K, 6] and controls float64 [K, 35]."""

    signals: NDArray[np.float64]
    controls: NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """Who is in the clip: the identity latent [num_ws, 512] and the frame that shows it best.

    `neutral` [6] are the signals of that frame: controls 0 mean a face with these. `tuning` are
    the bytes of a tuning, as a stream carries them; `examples` are frames to begin from.
    """

    w_plus: Tensor
    frame: int
    neutral: NDArray[np.float64]
    examples: Examples
    tuning: bytes | None = None


def make_target(image: NDArray[np.uint8], found: Scan, i: int, device: torch.device) -> Target:
    """Return frame `i`, an aligned square, as something to be explained."""
    landmarks = found.landmarks[i] if found.seen[i] else None
    weights = weight_map(landmarks, image.shape[0])
    if found.occluded[i]:
        weights = weights * visible(image, found.landmarks[i])
    return Target(to_tensor(image[None])[0].to(device), weights.to(device), landmarks)


def pose_from_landmarks(rig: Rig, found: Scan, i: int, neutral: NDArray[np.float64]) -> Tensor:
    """Return controls [35] whose pose is that of frame `i`'s landmarks, relative to `neutral`."""
    controls = torch.zeros(len(rig.names), dtype=torch.float64)
    controls[:NUM_POSE] = torch.from_numpy(turned(rig, found.signals[i] - neutral))
    return controls


def turned(rig: Rig, change: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pose controls [3] that a change of the signals calls for.

    An axis that the landmarks hardly predict (roll: alignment leaves little of it) is left to the
    pictures, and no axis goes farther than the generator's own faces do.
    """
    spread = np.array([axis.std for axis in rig.pose])
    trusted = np.array([axis.correlation >= TRUSTED for axis in rig.pose])
    return np.clip(np.where(trusted, change[:NUM_POSE] / spread, 0.0), -FARTHEST, FARTHEST)


def turned_mean(rig: Rig, signals: NDArray[np.float64]) -> Tensor:
    """Return the change of the mean latent [512] that turns its head sideways as the landmarks say.

    A search that begins with a frontal face does not find one in half profile.
    """
    yaw = rig.pose[0]
    amount = float(np.clip(signals[0] / yaw.std, -FARTHEST, FARTHEST))
    return amount * torch.tensor(yaw.direction)


def identity_frame(found: Scan, wanted: int | None) -> int:
    """Return the identity frame: the one asked for, or the best. Raises UsageError."""
    if wanted is None:
        return select_identity_frame(found.signals, found.clear, found.sharpness)
    if not 0 <= wanted < len(found):
        raise UsageError(f"--id-frame {wanted}: the clip has frames 0 to {len(found) - 1}")
    if not found.seen[wanted]:
        raise UsageError(f"--id-frame {wanted}: no face was found in that frame")
    return wanted


def aligned_frames(
    reader: VideoReader, span: Span, found: Scan, chosen: Sequence[int]
) -> dict[int, NDArray[np.uint8]]:
    """Return the aligned squares of some frames by number."""
    wanted = set(chosen)
    images = {}
    for i, image in crops(reader, span, found):
        if i in wanted:
            images[i] = image
            if len(images) == len(wanted):
                break
    return images


def find_person(
    reader: VideoReader,
    span: Span,
    found: Scan,
    generator: Generator,
    rig: Rig,
    plan: Preset,
    id_frame: int | None,
    likeness: Likeness | None,
    progress: Progress,
) -> Person:
    """Invert a clip's keyframes to one identity latent."""
    first = identity_frame(found, id_frame)
    chosen = select_keyframes(found.signals, found.clear, first, plan.keyframes)
    images = aligned_frames(reader, span, found, chosen)
    device = generator.w_mean.device
    neutral = found.signals[first]
    starts = [pose_from_landmarks(rig, found, i, neutral).float() for i in chosen]
    targets = [make_target(images[i], found, i, device) for i in chosen]
    result = invert(
        generator,
        rig.basis(generator),
        targets,
        torch.stack(starts).to(device),
        plan.inversion,
        likeness,
        progress,
        generator.w_mean + turned_mean(rig, neutral).to(device),
        recovery(generator, found, chosen, targets),
    )
    examples = Examples(found.signals[chosen], result.controls.double().cpu().numpy())
    return Person(_as_stored(result.w_plus, generator), first, neutral, examples)


def _as_stored(w_plus: Tensor, generator: Generator) -> Tensor:
    """Return the latent as a decoder will read it, so that what follows is fitted to that."""
    mean = generator.w_mean.cpu().numpy()
    payload = pack_identity(w_plus.cpu().numpy(), mean)
    stored = parse_identity(payload, generator.num_ws, generator.w_dim, mean)
    return torch.from_numpy(stored).to(w_plus.device)
