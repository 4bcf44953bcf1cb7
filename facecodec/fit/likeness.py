"""Likeness: dlib's face embedding as a differentiable distance between persons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facecodec.face.layout import MOUTH_CORNERS
from facecodec.face.signals import eye_centres
from facecodec.pixels import to_grey_levels
from facecodec.weights.dlib_network import Convolution, read_face_network, strides

# As dlib trained the network (dlib/dnn/input.h, dlib/image_transforms/interpolation.h):
CHIP_SIZE = 150  # side in pixels of the pictures that the network reads
CHANNEL_MEANS = (122.782, 117.001, 104.298)  # grey levels, RGB, subtracted from a chip
INPUT_SCALE = 256  # by which grey levels are divided then
# Where a chip, with padding 0.25, has the eyes and the corners of the mouth, 0 to 1.
ANCHORS = np.array([[0.324, 0.315], [0.676, 0.315], [0.350, 0.699], [0.650, 0.699]])


class Likeness:
    """The embedding network of dlib in torch: never trained, but gradients pass through it."""

    def __init__(self, network: Path, device: torch.device) -> None:
        """Read the network from dlib's dlib_face_recognition_resnet_model_v1.dat.

        Raises ModelError for a file that is missing or another network.
        """
        tensors = read_face_network(network)
        self.device = device
        self.stem = self._load(tensors.stem)
        self.blocks = [(self._load(a), self._load(b)) for a, b in tensors.blocks]
        self.head = torch.from_numpy(tensors.head).to(device)
        self.mean = torch.tensor(CHANNEL_MEANS).to(device)[None, :, None, None]

    def _load(self, given: Convolution) -> tuple[Tensor, Tensor]:
        """Return a convolution's weight [out, in, k, k] and bias [out] as tensors."""
        weight = torch.from_numpy(given.weight).to(self.device)
        # in the order in which torch convolves few pixels fastest, a quarter faster than by planes
        weight = weight.contiguous(memory_format=torch.channels_last)
        return weight, torch.from_numpy(given.bias).to(self.device)

    def embed_chips(self, chips: Tensor) -> Tensor:
        """Return embeddings [N, 128] of chips [N, 3, 150, 150], RGB in grey levels, 0 to 255."""
        x = ((chips - self.mean) / INPUT_SCALE).contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu(F.conv2d(x, *self.stem, stride=2)), 3, 2)
        for (first, second), stride in zip(self.blocks, strides(), strict=True):
            y = F.relu(F.conv2d(x, *first, stride=stride, padding=1 if stride == 1 else 0))
            y = F.conv2d(y, *second, padding=1)
            if stride == 2:
                x = F.avg_pool2d(x, 2)
            x = F.relu(_add(x, y))
        return x.mean((2, 3)) @ self.head

    def embed(self, pictures: Tensor, landmarks: NDArray[np.float64]) -> Tensor:
        """Return embeddings [N, 128] of aligned pictures [N, 3, S, S] in [-1, 1].

        `landmarks` [N, 68, 2] in units of the square, 0 to 1, place the chips. The two pictures of
        a comparison get the same landmarks, so that their placement does not count.
        """
        matrices = np.stack([chip_matrix(points) for points in landmarks])
        theta = torch.from_numpy(matrices).to(pictures)
        axis = (torch.arange(CHIP_SIZE, device=pictures.device) + 0.5) / CHIP_SIZE
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(-1, 2)
        points = grid @ theta[:, :, :2].transpose(1, 2) + theta[:, None, :, 2]
        points = points.reshape(-1, CHIP_SIZE, CHIP_SIZE, 2) * 2 - 1
        chips = F.grid_sample(
            pictures, points.to(pictures.dtype), padding_mode="reflection", align_corners=False
        )
        return self.embed_chips(to_grey_levels(chips))


def chip_matrix(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the map [2, 3] from the chip's unit square to that of landmarks [68, 2]."""
    wanted = np.stack([*eye_centres(points), *points[list(MOUTH_CORNERS)]])
    a, b = ANCHORS - ANCHORS.mean(0), wanted - wanted.mean(0)
    # the similarity x -> s R x + t that takes the anchors to the points, by least squares
    cosine = float((a * b).sum()) / float((a * a).sum())
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / float((a * a).sum())
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    shift = wanted.mean(0) - rotation @ ANCHORS.mean(0)
    return np.concatenate([rotation, shift[:, None]], axis=1)


def _add(x: Tensor, y: Tensor) -> Tensor:
    """Add maps [N, C, H, W] of different sizes, zero beyond the smaller one's edges.

    As dlib's add_prev does.
    """
    shape = [max(a, b) for a, b in zip(x.shape[1:], y.shape[1:], strict=True)]

    def padded(t: Tensor) -> Tensor:
        """Return a map [N, C, H, W] filled up with zeros to the larger one's shape."""
        missing = [whole - part for whole, part in zip(shape, t.shape[1:], strict=True)]
        return F.pad(t, (0, missing[2], 0, missing[1], 0, missing[0]))

    return padded(x) + padded(y)
