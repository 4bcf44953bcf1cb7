"""Networks that only measurements use: installed from a file the user has, kept as safetensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save
from torch import Tensor

from facecodec.errors import ModelError, UsageError
from facecodec.weights import store
from facecodec.weights.identity import file_sha256


@dataclass(frozen=True)
class Network:
    """`file` is its usual name, `sha256` how its SHA-256 begins where the publisher says so."""

    name: str
    title: str
    file: str
    sha256: str
    origin: str


NETWORKS = {
    network.name: network
    for network in (
        Network("lpips-alexnet", "AlexNet, for LPIPS", "alexnet-owt-7be5be79.pth", "7be5be79",
                "torchvision's model files"),
        Network("fid-inception", "Inception v3 of 2015, for FID",
                "pt_inception-2015-12-05-6726825d.pth", "6726825d", "the pytorch-fid project"),
        Network("fvd-i3d", "I3D on Kinetics-400, for FVD", "rgb_imagenet.pt", "",
                "the pytorch-i3d project"),
    )
}  # fmt: skip


def how_to_get(name: str) -> str:
    """Return whose file a network is, and the command that installs it."""
    network = NETWORKS[name]
    return f"get {network.file} from {network.origin}, then run: facecodec model install {name}"


def install_network(name: str, source: Path | None) -> store.Record:
    """Install a network from its published file.

    Raises UsageError without one, ModelError for another file than the published one.
    """
    network = NETWORKS[name]
    if source is None:
        raise UsageError(f"{name} is in no package; {how_to_get(name)}", argument="source")
    if not source.is_file():
        raise UsageError(f"{source} is not a file; {name} takes {network.file}")
    if not file_sha256(source).startswith(network.sha256):
        raise ModelError(
            f"{source} is not {network.file}: its SHA-256 does not begin {network.sha256}"
        )
    return save_network(name, read_tensors(source), f"{network.file}, from {network.origin}")


def read_tensors(source: Path) -> dict[str, Tensor]:
    """Return the float tensors [...] of a file of torch.save; nothing in it is executed.

    Raises ModelError for a file of anything else.
    """
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its reader stumbles over
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{source} is no file of tensors ({why[:200]})") from error
    if not isinstance(loaded, Mapping):
        raise ModelError(f"{source} holds no table of tensors")
    return {
        str(key): value
        for key, value in loaded.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }


def save_network(name: str, tensors: Mapping[str, Tensor], source: str) -> store.Record:
    """Write a network's tensors [...] and record into the store."""
    arrays = {key: np.ascontiguousarray(value.float().numpy()) for key, value in tensors.items()}
    data = save(arrays)
    path = store.write_file(f"{name}.safetensors", data)
    sha256 = hashlib.sha256(data).hexdigest()
    record = store.Record(
        name=name, kind="measure", file=path.name, bytes=len(data),
        sha256=sha256, file_sha256=sha256, source=source, licence="the publisher's",
    )  # fmt: skip
    store.write_record(record)
    return record


def load_network(name: str) -> dict[str, Tensor]:
    """Return the tensors [...] of an installed network.

    Raises ModelError where it is missing or damaged.
    """
    return {
        key: torch.from_numpy(value) for key, value in load_file(store.model_path(name)).items()
    }
