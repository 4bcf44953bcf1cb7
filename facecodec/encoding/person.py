"""From a clip to its person: choose frames and invert them, or take the person from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facecodec.avatar.avatar import Avatar
from facecodec.avatar.face import READING_PIXELS, FaceReader
from facecodec.bitstream import pack_identity
from facecodec.bitstream.coding.identity import parse_identity
from facecodec.checkpoint import Replay, stage
from facecodec.clip.clip import Clip
from facecodec.clip.people import SAME_PERSON
from facecodec.clip.scan import SQUARE_PIXELS, Scan
from facecodec.encoding.presets import Preset
from facecodec.errors import UsageError
from facecodec.face.expression import features
from facecodec.face.layout import NUM_LANDMARKS
from facecodec.face.signals import all_signals
from facecodec.fit.frame_selection import select_identity_frame, select_keyframes
from facecodec.fit.inversion import InversionStart, invert
from facecodec.fit.kept_tracking import KeptTracker
from facecodec.fit.likeness import Likeness
from facecodec.fit.objective import Target
from facecodec.fit.recovery import Recover, recovered
from facecodec.fit.response import Response
from facecodec.fit.tracking import Tracker
from facecodec.generator.base import Generator
from facecodec.models import FaceModel, face_embedder, landmark_finder
from facecodec.progress import Progress
from facecodec.rig.rig import NUM_POSE, Rig
from facecodec.types import Floats, Landmarks, Picture

LEAST_POSE_CORRELATION = 0.7  # held-out, of a pose axis that landmarks may set
POSE_LIMIT = 3.0  # standard deviations to which landmarks may set a pose control


@dataclass(frozen=True)
class Enrolment:
    """What the encoder learnt of a person, beside the avatar.

    frame: the identity frame, the one that shows them best. neutral [6]: its signals; controls 0
    mean a face with these. signals [N, 6] and controls float64 [N, K]: frames whose controls are
    known, from which others may start.
    """

    frame: int
    neutral: Floats
    signals: Floats
    controls: Floats


def find_person(
    clip: Clip,
    model: FaceModel,
    plan: Preset,
    id_frame: int | None,
    likeness: Likeness | None,
    progress: Progress,
) -> tuple[Avatar, Enrolment]:
    """Invert a clip's keyframes to one identity latent.

    Raises UsageError for an identity frame that the clip lacks or that shows no face.
    """
    generator, rig = model
    first = identity_frame(clip.scan, id_frame)
    chosen = select_keyframes(clip.signals, clip.scan.clear, first, plan.keyframes)
    targets = clip.targets(
        chosen, model.device, compared_size(clip, generator, plan.inversion.full_steps)
    )
    neutral = clip.signals[first]
    starts = [pose_from_landmarks(rig, clip.signals[i] - neutral).float() for i in chosen]
    result = invert(
        generator,
        rig.basis(generator),
        targets,
        InversionStart(
            torch.stack(starts).to(model.device),
            generator.w_mean + turned_mean(rig, neutral).to(model.device),
            recovery(generator, clip, chosen, targets),
        ),
        plan.inversion,
        likeness,
        progress,
    )
    known = result.controls.double().cpu().numpy()
    avatar = decoded_person(model, result.w_plus)
    return avatar, Enrolment(first, neutral, clip.signals[chosen], known)


def decoded_person(model: FaceModel, w_plus: Tensor) -> Avatar:
    """Return the person of a latent [num_ws, w_dim] as a decoder will read it.

    So that what follows is fitted to that.
    """
    generator = model.generator
    payload = pack_identity(w_plus.cpu().numpy(), model.mean)
    return Avatar(model, parse_identity(payload, generator.num_ws, generator.w_dim, model.mean))


def compared_size(clip: Clip, generator: Generator, full_steps: int) -> int:
    """Return the side in pixels of the squares that a person is fitted to.

    As large as the clip shows the face and the generator draws it, where a fit has steps that see
    full renders.
    """
    if not full_steps:
        return SQUARE_PIXELS
    return max(SQUARE_PIXELS, min(clip.square_size, generator.resolution))


def known_person(clip: Clip, avatar: Avatar, id_frame: int | None) -> Enrolment:
    """Return what the encoder needs of a person out of a `.fci` file, after `follow_wanted`.

    Their neutral signals are those of their own picture at controls 0, so that the pose of every
    frame counts from there; those of the identity frame where no face is read in it.
    """
    first = identity_frame(clip.scan, id_frame)
    neutral = clip.signals[first] if clip.rest is None else all_signals(clip.rest)
    return Enrolment(first, neutral, neutral[None], np.zeros((1, avatar.num_controls)))


def face_at_rest(avatar: Avatar) -> tuple[Picture, Landmarks | None]:
    """Return a person's picture at controls 0, and the landmarks [68, 2] read in it.

    The picture is uint8 [READING_PIXELS, READING_PIXELS, 3], in whose pixels the landmarks are.
    """
    at_rest = np.zeros((1, avatar.num_controls), np.float32)
    picture = avatar.render(at_rest, READING_PIXELS)[0]
    return picture, landmark_finder()(picture)


def follow_wanted(
    clip: Clip, known: Avatar | None, id_frame: int | None, name: str, any_face: bool
) -> None:
    """Make the person who is wanted the person of a clip that shows several.

    That is who the identity frame shows; else who is most like a known person, out of the file
    `name`; else who is seen most. Raises UsageError when nobody in the clip is like a known person,
    unless `any_face`.
    """
    people = clip.faces.people
    picture, points = (None, None) if known is None else face_at_rest(known)
    if points is not None:
        clip.rest = points / READING_PIXELS
    if people is None:
        return
    wanted, like = None, None
    if known is not None and picture is not None and points is not None:
        embedding = face_embedder()(picture, points)
        nearest, away = people.nearest(embedding)
        if away > SAME_PERSON and not any_face:
            raise UsageError(
                f"{clip.name}: nobody in it is the person in {name}: face embeddings are "
                f"{away:.2f} apart, over {SAME_PERSON}; use their own file, or allow any face"
            )
        if away <= SAME_PERSON:
            wanted, like = nearest, people.like(embedding, nearest)
    if id_frame is not None and 0 <= id_frame < len(people.who) and people.who[id_frame] >= 0:
        wanted, like = int(people.who[id_frame]), people.sample_at(id_frame)
    if wanted is not None and like is not None and (clip.live or wanted != people.most_seen):
        clip.follow(wanted, like)


def identity_frame(scan: Scan, wanted: int | None) -> int:
    """Return the identity frame: the one asked for, or the best. Raises UsageError."""
    if wanted is None:
        return select_identity_frame(scan.signals, scan.clear, scan.sharpness)
    if not 0 <= wanted < len(scan):
        raise UsageError(
            f"identity frame {wanted}: the clip has frames 0 to {len(scan) - 1}",
            argument="id_frame",
        )
    if scan.other[wanted]:
        raise UsageError(
            f"identity frame {wanted}: it shows somebody else than the person", argument="id_frame"
        )
    if not scan.seen[wanted]:
        raise UsageError(
            f"identity frame {wanted}: no face was found in that frame", argument="id_frame"
        )
    return wanted


def pose_from_landmarks(rig: Rig, change: Floats) -> Tensor:
    """Return controls [K] whose pose answers to a `change` of the signals [6]."""
    controls = torch.zeros(len(rig.names), dtype=torch.float64)
    controls[:NUM_POSE] = torch.from_numpy(pose_change(rig, change))
    return controls


def pose_change(rig: Rig, change: Floats) -> Floats:
    """Return the pose controls [3] that a `change` of the signals [6] calls for.

    An axis that the landmarks hardly predict (roll: alignment leaves little of it) is left to the
    pictures, and no axis goes farther than the generator's own faces do.
    """
    spread = np.array([axis.std for axis in rig.pose])
    trusted = np.array([axis.correlation >= LEAST_POSE_CORRELATION for axis in rig.pose])
    return np.clip(np.where(trusted, change[:NUM_POSE] / spread, 0.0), -POSE_LIMIT, POSE_LIMIT)


def turned_mean(rig: Rig, signals: Floats) -> Tensor:
    """Return the change of the mean latent [w_dim] that turns its head as the signals [6] say.

    A search that starts from a frontal face does not find one in half profile.
    """
    yaw = rig.pose[0]
    amount = float(np.clip(signals[0] / yaw.std, -POSE_LIMIT, POSE_LIMIT))
    return amount * torch.tensor(yaw.direction)


def recovery(
    generator: Generator, clip: Clip, chosen: Sequence[int], targets: Sequence[Target]
) -> Recover:
    """Return what a fit to the `chosen` frames asks for better controls; `targets` are theirs."""
    find, wanted = landmark_finder(), clip.features[list(chosen)]

    def recover(tracker: Tracker | KeptTracker, person: Response, controls: Tensor) -> Tensor:
        """Return the controls [chosen frames, K] of a fit, those missed by far led by landmarks."""
        face = FaceReader(generator, person, find)
        readings = Replay(stage("readings"), 2 * NUM_LANDMARKS, find)

        def landmarks(at: Floats) -> Floats:
            """Return the landmarks at controls [K], [2 * 68]."""
            return readings(lambda: face.landmarks(at[None]).ravel())

        def read(controls: Floats) -> Floats:
            """Return the features [N, 50] at controls [N, K]: a search reads hundreds."""
            seen = np.stack([landmarks(at) for at in controls])
            return features(seen.reshape(-1, NUM_LANDMARKS, 2))

        return recovered(tracker, read, targets, wanted, controls)

    return recover
