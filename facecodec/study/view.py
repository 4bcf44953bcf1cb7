"""View: one stream's controls under somebody's hands, rendered as they move."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.atomic import scratch_folder
from facecodec.avatar.avatar import Avatar, load_avatar
from facecodec.decoding.decode import RENDERED_COMMENT
from facecodec.decoding.notes import PROVENANCE
from facecodec.decoding.stream import Stream
from facecodec.editing.edit import edit
from facecodec.editing.edits import Set
from facecodec.errors import UsageError
from facecodec.generator.base import Generator
from facecodec.models import Device
from facecodec.types import Picture
from facecodec.video.still import commented, encode_jpeg, encode_png

SLIDER_LIMIT = 8.0  # standard deviations a control may be pushed to, or as far as the stream goes
TRUNCATION = 0.7  # how far random people lie from the mean face
MAX_FRAMES = 20_000  # of a stream that can be scrubbed


@dataclass(frozen=True)
class Shot:
    """A rendered picture as JPEG, and the milliseconds it took to render."""

    jpeg: bytes
    render_ms: float


class Studio:
    """Renders any controls with the stream's person, one from a file, or one who does not exist."""

    def __init__(
        self,
        source: Path,
        *,
        people: tuple[Path, ...] = (),
        identity: Path | None = None,
        rig: Path | None = None,
        device: Device = "auto",
        size: int = 512,
    ) -> None:
        """Open a `.fcv`; `people` are .fci or .fcv files to swap to. Raises as `decode` does."""
        stream = Stream(source, identity=identity, rig=rig, device=device)
        avatar = stream.avatar
        self.name, self._model = source.name, avatar.model
        self._source, self._rig, self._said = source, rig, stream.reader.header.metadata
        self.names, self.regions = avatar.rig.shown_titles, avatar.rig.regions
        self.size = avatar.side(min(size, avatar.resolution))
        frames = list(islice(stream, MAX_FRAMES))
        if not frames:
            raise UsageError(f"{source}: holds no frames")
        first = frames[0]
        self.times = [float((frame.pts - first.pts) * frame.time_base) for frame in frames]
        self.controls: NDArray[np.float32] = np.stack([frame.controls for frame in frames])
        self.limit = float(np.ceil(max(SLIDER_LIMIT, np.abs(self.controls).max())))
        self._lock = threading.Lock()  # one render at a time: they share the cores
        self._people: dict[str, Avatar] = {source.stem: avatar}
        for path in people:
            self._people[path.stem] = load_avatar(path, self._model)

    @property
    def people(self) -> list[str]:
        """Return the names of the people there are."""
        return list(self._people)

    def random_person(self, seed: int) -> str:
        """Add a person who does not exist, and return the name."""
        name = f"random {seed}"
        with self._lock:
            if name not in self._people:
                for old in [known for known in self._people if known.startswith("random ")]:
                    del self._people[old]
                latent = random_latent(self._model.generator, seed)
                self._people[name] = Avatar(self._model, latent)
        return name

    def render(self, controls: list[float], person: str) -> Shot:
        """Render controls [K]. Raises UsageError for a person or controls that cannot be."""
        begin = time.perf_counter()
        picture = self._drawn(controls, person, self.size)
        return Shot(encode_jpeg(picture, 3), 1000 * (time.perf_counter() - begin))

    def picture(self, controls: list[float], person: str) -> bytes:
        """Return the person at controls [K] as a PNG file of full size, which says what it is.

        Raises UsageError for a person or controls that cannot be.
        """
        picture = self._drawn(controls, person, None)
        return commented(encode_png(picture), self._said.get(PROVENANCE, RENDERED_COMMENT))

    def stream(self, held: dict[int, float]) -> bytes:
        """Return the stream as a `.fcv` file in which some controls have one value throughout.

        held: values by the number of a control, from 0; with none, the stream as it is. Raises
        UsageError for a number or value that cannot be.
        """
        if not held:
            return self._source.read_bytes()
        if not all(0 <= number < len(self.names) for number in held):
            raise UsageError(f"controls are numbered 0 to {len(self.names) - 1}")
        changes = [Set(self.names[number], value) for number, value in sorted(held.items())]
        with scratch_folder() as folder:
            made = folder / "edited.fcv"
            edit(self._source, made, changes, rig=self._rig)
            return made.read_bytes()

    def _drawn(self, controls: list[float], person: str, size: int | None) -> Picture:
        values = np.asarray(controls, np.float32)
        if values.shape != (len(self.names),) or not np.isfinite(values).all():
            raise UsageError(f"controls are {len(self.names)} finite numbers")
        with self._lock:
            if person not in self._people:
                raise UsageError(f"nobody here is called {person!r}")
            row = values.clip(-self.limit, self.limit)[None]
            drawn: Picture = self._people[person].render(row, size)[0]
        return drawn


def random_latent(generator: Generator, seed: int) -> NDArray[np.float32]:
    """Return the identity latent, float32 [num_ws, w_dim], of a person who does not exist."""
    made = torch.Generator().manual_seed(seed)
    z = torch.randn(1, generator.w_dim, generator=made).to(generator.w_mean.device)
    with torch.inference_mode():
        w = generator.mapping(z).reshape(1, -1, generator.w_dim)[0, :1]
        w = generator.w_mean + TRUNCATION * (w - generator.w_mean)
        latent = w.expand(generator.num_ws, -1).cpu().numpy()
    return np.ascontiguousarray(latent)
