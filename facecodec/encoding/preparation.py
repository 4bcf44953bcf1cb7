"""What live tracking needs of a person, learnt once and kept in the user's cache.

It takes some ten seconds to learn and is read in a tenth of one. A file there is named by all that
it depends on. What it holds can be learnt again, so a file that is missing or damaged costs
time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

import cuda_ops
from facecodec.atomic import opened_whole
from facecodec.avatar.avatar import Avatar
from facecodec.errors import FacecodecError
from facecodec.fit import landmark_guide
from facecodec.fit.fast_tracking import AnyTracker, FastTracker
from facecodec.fit.photometric import TrackingPlan
from facecodec.fit.preparation import Arrays, Preparation
from facecodec.fit.tracking import Tracker
from facecodec.generator.short_preview import ShortPreview
from facecodec.progress import Progress
from facecodec.weights.store import home, read_record

FOLDER = "prepared"  # in the project's cache
KEPT_PERSONS = 16  # of whom something is kept, those used last
MAX_BYTES = 1 << 28  # of a file that is read
DIGEST_BYTES = 32  # SHA-256 of what follows, at the beginning of a file
METHOD = 5  # raised when the same person and plan are to be prepared in another way


def new_tracker(
    avatar: Avatar, plan: TrackingPlan, known: Tensor | None, progress: Progress
) -> AnyTracker:
    """Return what tracks a person: fast, where the plan asks for that.

    known [N, K]: controls the person is likely to take.
    """
    if plan.guided_steps is None:
        return Tracker(avatar.generator, avatar.basis, avatar.styles, plan, known)
    learnt = prepared(avatar, plan, progress)
    tracker = Tracker(avatar.generator, avatar.basis, avatar.styles, plan, known, learnt)
    return FastTracker(tracker, learnt.guide)


def prepared(avatar: Avatar, plan: TrackingPlan, progress: Progress) -> Preparation:
    """Return what tracking a person with a live plan begins with: kept, or learnt and then kept.

    Raises ModelError when the landmark model is not installed.
    """
    path = _path(avatar, plan)
    known = _kept(path, avatar, plan)
    if known is None:
        arrays = learn(avatar, plan, progress).arrays()
        _keep(path, arrays)
        # in memory as it will be when it is read: sums depend on how their operands lie there
        known = Preparation.from_arrays(arrays, avatar.generator, avatar.num_controls, plan)
    return known


def learn(avatar: Avatar, plan: TrackingPlan, progress: Progress) -> Preparation:
    """Return what tracking a person with a live plan begins with, which is not kept.

    Raises ModelError when the landmark model is not installed.
    """
    read = partial(
        avatar.face_reader().landmarks, stage="learning how the face moves", progress=progress
    )
    guide = landmark_guide.landmark_guide(read, avatar.num_controls)
    rest = None if guide is None else guide.mean
    tracker = Tracker(avatar.generator, avatar.basis, avatar.styles, plan, landmarks=rest)
    derivative = tracker.derivatives.prepare()
    preview = tracker.preview
    weight = preview.weight if isinstance(preview, ShortPreview) else None
    return Preparation(preview.mean_error, weight, derivative, guide)


def _path(avatar: Avatar, plan: TrackingPlan) -> Path:
    """Return the file for a person and a plan: its name is a hash of all that the content is of."""
    digest = hashlib.sha256()
    facts = (
        METHOD, avatar.model.generator.sha256, avatar.rig.sha256, plan, landmark_guide.PLAN,
        read_record("dlib-landmarks").sha256, cuda_ops.describe(avatar.model.device.type),
        torch.__version__,
    )  # fmt: skip
    digest.update(repr(facts).encode())
    digest.update(avatar.latent.tobytes())
    digest.update(b"" if avatar.tuning is None else avatar.tuning.to_bytes())
    return home() / FOLDER / f"{digest.hexdigest()}.prepared"


def _kept(path: Path, avatar: Avatar, plan: TrackingPlan) -> Preparation | None:
    """Return what a file holds, None where it is not there or not whole."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        data = path.read_bytes()
        if hashlib.sha256(data[DIGEST_BYTES:]).digest() != data[:DIGEST_BYTES]:
            return None
        arrays = load(data[DIGEST_BYTES:])
        known = Preparation.from_arrays(arrays, avatar.generator, avatar.num_controls, plan)
        os.utime(path)  # used: among the last to be removed
    except (OSError, SafetensorError, ValueError):
        return None
    return known


def _keep(path: Path, arrays: Arrays) -> None:
    """Write a file in a folder of this user's alone and remove those used least, if that works."""
    with suppress(OSError, FacecodecError):
        data = save(dict(arrays))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with opened_whole(path) as file:
            file.write(hashlib.sha256(data).digest() + data)
        files = sorted(path.parent.glob("*.prepared"), key=lambda file: -file.stat().st_mtime)
        for old in files[KEPT_PERSONS:]:
            old.unlink(missing_ok=True)
