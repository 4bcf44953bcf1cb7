"""Load what every stage shares: the generator, its rig, and dlib's face models."""

from __future__ import annotations

from pathlib import Path

import torch

from facecodec.errors import ModelError, UsageError
from facecodec.face.landmarks import FaceEmbedder, LandmarkFinder
from facecodec.fit.likeness import Likeness
from facecodec.generator.base import Generator
from facecodec.memory import keep_freed_memory
from facecodec.rig.rig import Rig, load_rig
from facecodec.weights.catalogue import DEFAULT_GENERATOR
from facecodec.weights.store import load_generator, model_path, readable_records


def pick_device(name: str) -> torch.device:
    """Return the device for auto, cpu or cuda. Raises UsageError for CUDA without CUDA."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device here; use --device cpu")
    return torch.device(name)


def load_models(
    model: str = DEFAULT_GENERATOR, rig: Path | None = None, device: str = "auto"
) -> tuple[Generator, Rig]:
    """Return an installed generator on its device and its rig (the shipped one unless given)."""
    generator = load_generator_on(model, device)
    return generator, Rig.load(rig) if rig else load_rig(generator)


def load_generator_on(model: str, device: str) -> Generator:
    """Return an installed generator on its device."""
    keep_freed_memory()
    return load_generator(model).to(pick_device(device))


def load_likeness(generator: Generator) -> Likeness | None:
    """Return the face embedding a fit is guided by, None where it is not installed."""
    try:
        return Likeness(model_path("dlib-embedding"), generator.w_mean.device)
    except ModelError:
        return None


def model_named_by(sha256: str, hint: str) -> str:
    """Return the name of the installed generator with this identity.

    Raises ModelError naming what to install when there is none; `hint` is the name in the stream.
    """
    for record in readable_records():
        if record.kind == "generator" and record.sha256 == sha256:
            return record.name
    raise ModelError(
        f"needs the generator {hint!r} (SHA-256 {sha256[:12]}…), which is not installed; "
        f"facecodec model install {hint}, or import the checkpoint it was made with"
    )


def landmark_finder() -> LandmarkFinder:
    """Return dlib's landmark finder. Raises ModelError when it is not installed."""
    return LandmarkFinder(model_path("dlib-landmarks"))


def face_embedder() -> FaceEmbedder:
    """Return dlib's face embedding. Raises ModelError when it is not installed."""
    return FaceEmbedder(model_path("dlib-embedding"))
