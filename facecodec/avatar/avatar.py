"""An avatar: one person of one generator, who can be drawn at any controls."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import cuda_ops
from facecodec.arguments import whole
from facecodec.atomic import opened_whole, refuse_overwrite
from facecodec.avatar.face import FaceReader
from facecodec.avatar.identity import identity_for
from facecodec.avatar.tuning import Tuning
from facecodec.bitstream import (
    IdentityFile,
    StreamReader,
    StreamWriter,
    load_identity_file,
    open_stream,
    pack_identity,
)
from facecodec.errors import UsageError
from facecodec.fit.objective import shrink
from facecodec.fit.response import Response
from facecodec.generator.base import Generator
from facecodec.models import (
    Device,
    FaceModel,
    landmark_finder,
    load_models,
    load_stream_models,
    model_named_by,
    side_of,
)
from facecodec.types import Landmarks, Picture
from facecodec.version import __version__


class Avatar:
    """One person: an identity latent and perhaps a tuning, with the generator and rig they need.

    latent: float32 [num_ws, w_dim]. styles: [num_styles], the person at controls 0. basis:
    [K, num_styles], the effect of the K controls. generator: the network that draws them, which a
    full tuning changes; model: generator and rig as they were loaded. Controls are in standard
    deviations over the generator's faces.
    """

    def __init__(
        self, model: FaceModel, latent: NDArray[np.float32], tuning: Tuning | None = None
    ) -> None:
        """Put a person together.

        Raises ModelError when the rig was made for another generator, UsageError when the latent
        has another shape than the generator's.
        """
        generator, rig = model
        if latent.shape != (generator.num_ws, generator.w_dim):
            raise UsageError(
                f"an identity latent {list(latent.shape)} does not fit {generator.name}, "
                f"which takes {[generator.num_ws, generator.w_dim]}"
            )
        self.model, self.rig, self.latent, self.tuning = model, rig, latent, tuning
        with torch.no_grad():
            rows = torch.from_numpy(latent).to(model.device)
            person = Response(generator.styles(rows[None])[0], rig.basis(generator))
            self.generator: Generator = generator
            if tuning is not None:
                self.generator, person = tuning.applied(generator, person)
        self.response = person
        self._graphs: dict[int, cuda_ops.Graphed] = {}
        self._reader: FaceReader | None = None

    @classmethod
    def from_stream(
        cls,
        stream: StreamReader | str | Path,
        identity: str | Path | None = None,
        *,
        model: FaceModel | None = None,
        rig: str | Path | None = None,
        device: Device = "auto",
    ) -> Avatar:
        """Return the person of a `.fcv` stream.

        identity: the `.fci` file that a stream may refer to; without it, the right one is looked
        for beside the stream. model: a loaded generator and rig; without it, the ones that the
        stream names are loaded. rig: a rig file, for a generator without its own. device: 'auto',
        'cpu', 'cuda' or a `torch.device`. Raises ModelError when the generator is not installed,
        StreamError for another rig or a damaged identity, UsageError for a missing file or another
        generator.
        """
        if not isinstance(stream, StreamReader):
            stream = open_stream(stream)
        header = stream.header
        if model is None:
            model = load_stream_models(header, stream.name, rig, device)
        require_generator(
            stream.name, header.generator_name, header.generator_sha256, model.generator
        )
        file = identity_for(stream, identity)
        latent = stream.identity(model.mean, file)
        return cls(model, latent, _tuning(stream.person_tuning(file), model))

    @classmethod
    def from_identity_file(
        cls,
        file: IdentityFile | str | Path,
        *,
        model: FaceModel | None = None,
        name: str = "identity file",
        rig: str | Path | None = None,
        device: Device = "auto",
    ) -> Avatar:
        """Return the person of a `.fci` file; `name` is what errors call one read already.

        model, rig, device, and what is raised: see `from_stream`.
        """
        if not isinstance(file, IdentityFile):
            name, file = str(file), load_identity_file(file)
        if model is None:
            installed = model_named_by(file.generator_sha256.hex(), file.generator_name)
            model = load_models(installed, rig, device)
        require_generator(name, file.generator_name, file.generator_sha256, model.generator)
        return cls(model, file.w_plus(model.mean), _tuning(file.tuning, model))

    @property
    def styles(self) -> Tensor:
        """Return the person at controls 0 as a style vector, [num_styles]."""
        return self.response.styles

    @property
    def basis(self) -> Tensor:
        """Return the effect of the controls on the style vector, [K, num_styles]."""
        return self.response.basis

    @property
    def num_controls(self) -> int:
        """Return K, the number of controls."""
        return len(self.rig.names)

    @property
    def resolution(self) -> int:
        """Return the side of a picture in pixels, where no other is asked for."""
        return self.generator.resolution

    @overload
    def render(self, controls: NDArray[np.floating], size: int | None = None) -> Picture: ...
    @overload
    def render(self, controls: Tensor, size: int | None = None) -> Tensor: ...
    def render(
        self, controls: NDArray[np.floating] | Tensor, size: int | None = None
    ) -> Picture | Tensor:
        """Draw the person, as a decoder does.

        controls: [N, K], finite, in standard deviations; an array, or a tensor on any device.
        size: a side of the pictures in pixels: the generator's resolution (when None), half or a
        quarter of it. Returns uint8 RGB [N, size, size, 3], an array for an array; a tensor for a
        tensor, on the generator's device and without gradients. Pictures are drawn one by one.
        Raises UsageError for another size, and for controls of another shape or not finite.
        """
        side = self.side(size)
        rows = self._rows(controls)
        if side not in self._graphs:
            self._graphs[side] = cuda_ops.Graphed(partial(self._pixels, side))
        with torch.inference_mode():
            drawn = [self._graphs[side](row[None]) for row in rows]
            pictures = drawn[0] if len(drawn) == 1 else torch.cat(drawn)
        return pictures if isinstance(controls, Tensor) else pictures.cpu().numpy()

    @overload
    def preview(self, controls: NDArray[np.floating], size: int) -> Picture: ...
    @overload
    def preview(self, controls: Tensor, size: int) -> Tensor: ...
    def preview(self, controls: NDArray[np.floating] | Tensor, size: int) -> Picture | Tensor:
        """Draw the person small and several times faster than `render`, less exactly.

        controls: [N, K] as in `render`. size: a side in pixels that divides the generator's
        resolution. Drawn at twice the size or more and shrunk, or at full size where the generator
        has no such preview. Returns uint8 RGB [N, size, size, 3], as `render` does.
        Raises UsageError for a size that does not divide the full one.
        """
        if self.resolution % whole(size, "size", 1):
            raise UsageError(f"size {size} does not divide {self.resolution}")
        with torch.inference_mode():
            styles = self.styles[None] + self._rows(controls) @ self.basis
            sizes = self.generator.preview_sizes
            larger = [side for side in sizes if 2 * size <= side <= self.resolution]
            if larger:
                pictures = self.generator.preview(styles, min(larger))
            else:
                pictures = self.generator.synthesize(styles)
            small = cuda_ops.rgb8(shrink(pictures, size))
        return small if isinstance(controls, Tensor) else small.cpu().numpy()

    def landmarks(self, controls: NDArray[np.floating]) -> Landmarks:
        """Return the landmarks, float64 [N, 68, 2] in sides of the square, at controls [N, K].

        NaN where no face is read. Raises ModelError when the landmark model is not installed.
        """
        if self._reader is None:
            self._reader = self.face_reader()
        self._reader.find.reset()
        return self._reader.landmarks(controls.astype(np.float64))

    def face_reader(self) -> FaceReader:
        """Return a reader of the person's face, which follows it from picture to picture."""
        return FaceReader(self.generator, self.response, landmark_finder())

    def side(self, size: int | None) -> int:
        """Return the side that pictures of `size` have, the resolution for None.

        Raises UsageError for a size that is not the resolution over a power of two.
        """
        return side_of(self.generator, size)

    def identity_file(self) -> IdentityFile:
        """Return the person as what a `.fci` file holds."""
        generator = self.model.generator
        return IdentityFile(
            generator.name,
            bytes.fromhex(generator.sha256),
            generator.num_ws,
            generator.w_dim,
            f"facecodec {__version__}",
            pack_identity(self.latent, self.model.mean),
            None if self.tuning is None else self.tuning.to_bytes(),
        )

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the person to a `.fci` file. Raises UsageError when it exists without `force`."""
        refuse_overwrite(path, force)
        with opened_whole(path) as file:
            file.write(self.identity_file().pack())

    def write_to(self, writer: StreamWriter) -> None:
        """Write identity and tuning to a stream, before its first frame."""
        writer.write_identity(self.latent, self.model.mean)
        if self.tuning is not None:
            writer.write_tuning(self.tuning.to_bytes())

    def _rows(self, controls: NDArray[np.floating] | Tensor) -> Tensor:
        """Return controls as float32 [N, K] on the generator's device."""
        if not isinstance(controls, Tensor):
            values = np.require(controls, np.float32, ("C", "W"))  # a list or a read-only array too
            if not np.isfinite(values).all():
                raise UsageError("controls are finite numbers")
            rows = torch.from_numpy(values)
        else:
            rows = controls
        if rows.ndim != 2 or rows.shape[1] != self.num_controls or not len(rows):
            shape = list(rows.shape)
            raise UsageError(f"controls are [N, {self.num_controls}] numbers, not {shape}")
        return rows.to(self.basis.device, torch.float32)

    def _pixels(self, size: int, controls: Tensor) -> Tensor:
        styles = self.styles[None] + controls @ self.basis
        if size == self.resolution:
            return self.generator.synthesize_rgb8(styles)
        return self.generator.shrunk_rgb8(styles, size)


def require_generator(name: str, made_for: str, sha256: bytes, generator: Generator) -> None:
    """Raise UsageError unless the file `name`, made for a generator, was made for this one."""
    if sha256 != bytes.fromhex(generator.sha256):
        raise UsageError(
            f"{name}: made for generator {made_for} ({sha256.hex()[:12]}), "
            f"not {generator.name} ({generator.sha256[:12]})"
        )


def load_avatar(path: str | Path, model: FaceModel) -> Avatar:
    """Return the person of a `.fci` or `.fcv` file, for a loaded generator and rig.

    Raises UsageError for another ending, and what the two kinds raise.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".fci":
        return Avatar.from_identity_file(path, model=model)
    if suffix == ".fcv":
        return Avatar.from_stream(path, model=model)
    raise UsageError(f"{path}: a person is a .fci or .fcv file")


def _tuning(data: bytes | None, model: FaceModel) -> Tuning | None:
    return None if data is None else Tuning.from_bytes(data, model.generator, len(model.rig.names))
