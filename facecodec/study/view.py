"""View: one stream's controls under somebody's hands, rendered as they move."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.avatar.render import Renderer
from facecodec.decoding.player import Player, open_player
from facecodec.errors import FacecodecError, UsageError
from facecodec.progress import silent
from facecodec.puppetry.puppet import load_person
from facecodec.video.still import encode_jpeg

LIMIT = 8.0  # standard deviations a control may be pushed to, or as far as the stream goes
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
        device: str = "auto",
        size: int = 512,
    ) -> None:
        """Open a `.fcv`; `people` are .fci or .fcv files to swap to. Raises as `decode` does."""
        player = open_player(source, rig, device, size, identity, fit=True)
        self._player: Player = player
        self.name = source.name
        self.names, self.regions = player.rig.names, player.rig.regions
        self.size = player.renderer.size
        frames = []
        for frame in player.stream.frames():
            frames.append(frame)
            if len(frames) == MAX_FRAMES:
                break
        if not frames:
            raise UsageError(f"{source}: holds no frames")
        base = player.stream.header.time_base
        self.times = [float((frame.pts - frames[0].pts) * base) for frame in frames]
        self.controls: NDArray[np.float32] = np.stack([frame.controls for frame in frames])
        self.limit = float(np.ceil(max(LIMIT, np.abs(self.controls).max())))
        self._lock = threading.Lock()  # one render at a time: they share the cores
        self._people: dict[str, Renderer] = {source.stem: player.renderer}
        for path in people:
            if path.suffix not in (".fci", ".fcv"):
                raise UsageError(f"{path}: a person is a .fci or .fcv file")
            who = load_person(path, player.generator, player.rig, "medium", silent)
            self._people[path.stem] = self._renderer(who.w_plus, who.tuning)

    @property
    def people(self) -> list[str]:
        """Return the names of the people there are."""
        return list(self._people)

    def random_person(self, seed: int) -> str:
        """Add a person who does not exist, and return the name."""
        name = f"random {seed}"
        with self._lock:
            if name not in self._people:
                generator = self._player.generator
                made = torch.Generator().manual_seed(seed)
                z = torch.randn(1, generator.w_dim, generator=made).to(generator.w_mean.device)
                with torch.inference_mode():
                    w = generator.mapping(z).reshape(1, -1, generator.w_dim)[0, :1]
                    w = generator.w_mean + TRUNCATION * (w - generator.w_mean)
                    w_plus = w.expand(generator.num_ws, -1).cpu().numpy()
                for old in [known for known in self._people if known.startswith("random ")]:
                    del self._people[old]
                self._people[name] = self._renderer(np.ascontiguousarray(w_plus))
        return name

    def render(self, controls: list[float], person: str) -> Shot:
        """Render controls [35]. Raises UsageError for a person or controls that cannot be."""
        values = np.asarray(controls, np.float32)
        if values.shape != (len(self.names),) or not np.isfinite(values).all():
            raise UsageError(f"controls are {len(self.names)} finite numbers")
        with self._lock:
            if person not in self._people:
                raise UsageError(f"nobody here is called {person!r}")
            begin = time.perf_counter()
            picture = self._people[person](values.clip(-self.limit, self.limit)[None])[0]
        taken = 1000 * (time.perf_counter() - begin)
        return Shot(encode_jpeg(picture, 3), taken)

    def _renderer(self, w_plus: NDArray[np.float32], tuning: bytes | None = None) -> Renderer:
        player = self._player
        try:
            return Renderer(player.generator, player.rig, w_plus, self.size, tuning)
        except RuntimeError as error:
            raise FacecodecError(f"this person does not fit the generator ({error})") from error
