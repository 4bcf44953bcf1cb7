"""View: one stream's controls under somebody's hands, rendered as they move."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from facecodec.atomic import scratch_folder
from facecodec.avatar.avatar import Avatar, load_avatar
from facecodec.bitstream import ContextPictures, StreamWriter, open_stream
from facecodec.decoding.notes import PROVENANCE, RENDERED_COMMENT, SYNTHETIC_COMMENT
from facecodec.decoding.rewrite import write_items
from facecodec.decoding.stream import Stream
from facecodec.editing.edit import edit
from facecodec.editing.edits import Edit, Keys, Set
from facecodec.errors import UsageError
from facecodec.generator.base import Generator
from facecodec.models import Device, model_named_by
from facecodec.study.newcomer import Newcomers, Report
from facecodec.types import Picture
from facecodec.video.still import commented, encode_jpeg, encode_png

SLIDER_LIMIT = 8.0  # standard deviations a control may be pushed to, or as far as the stream goes
TRUNCATION = 0.7  # how far random people lie from the mean face
USUAL_RATE = 25.0  # frames a second, of a stream of one frame
MAX_FRAMES = 20_000  # of a stream that can be scrubbed
SHOT_QUALITY = 89  # of a JPEG

# Keys of a control: frames, and a value or None for the stream's own.
KeyList = Sequence[tuple[int, float | None]]


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
        lasts = self.times[-1] - self.times[0]
        self.rate = (len(frames) - 1) / lasts if lasts else USUAL_RATE  # frames a second
        self.controls: NDArray[np.float32] = np.stack([frame.controls for frame in frames])
        self.limit = float(np.ceil(max(SLIDER_LIMIT, np.abs(self.controls).max())))
        self._lock = threading.Lock()  # one render at a time: they share the cores
        self._own, self._device = avatar, str(device)
        self._people: dict[str, Avatar] = {source.stem: avatar}
        self._search: Newcomers | None = None
        self._folder: TemporaryDirectory[str] | None = None
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
        return Shot(encode_jpeg(picture, SHOT_QUALITY), 1000 * (time.perf_counter() - begin))

    def picture(self, controls: list[float], person: str) -> bytes:
        """Return the person at controls [K] as a PNG file of full size, which says what it is.

        Raises UsageError for a person or controls that cannot be.
        """
        picture = self._drawn(controls, person, None)
        own = self._is_own(self._known(person))
        said = self._said.get(PROVENANCE, RENDERED_COMMENT) if own else SYNTHETIC_COMMENT
        return commented(encode_png(picture), said)

    def stream(self, keys: Mapping[int, KeyList], person: str) -> bytes:
        """Return the stream as a `.fcv` file in which some controls go from key to key.

        keys: by the number of a control, from 0. person: who is moved; another than the stream's
        own makes it a puppet, which it says. Raises UsageError for what cannot be.
        """
        if not all(0 <= number < len(self.names) for number in keys):
            raise UsageError(f"controls are numbered 0 to {len(self.names) - 1}")
        changes = [_edit(self.names[number], keys[number]) for number in sorted(keys)]
        who = self._known(person)
        own = self._is_own(who)
        if not changes and own:
            return self._source.read_bytes()
        with scratch_folder() as folder:
            made, moved = folder / "edited.fcv", self._source
            if changes:
                edit(self._source, made, changes, rig=self._rig)
                moved = made
            if not own:
                made = folder / "puppet.fcv"
                _write_puppet(moved, who, made)
            return made.read_bytes()

    def begin_newcomer(self, picture: bytes) -> None:
        """Begin to look for the person of a picture file.

        Raises UsageError while another is looked for, and for no picture.
        """
        self._newcomers().begin(picture)

    def newcomer(self) -> tuple[Report, str | None]:
        """Return how far that is, and the person's name as soon as they are there."""
        search = self._newcomers()
        report, name = search.report(), f"picture {search.count}"
        if report.person is None:
            return report, None
        with self._lock:
            if name not in self._people:
                self._people[name] = load_avatar(report.person, self._model)
        return report, name

    def close(self) -> None:
        """Forget the pictures that were given."""
        if self._folder is not None:
            self._folder.cleanup()

    def _newcomers(self) -> Newcomers:
        """Return who looks for people in pictures, in a folder of its own."""
        with self._lock:
            if self._search is None:
                self._folder = TemporaryDirectory(prefix="facecodec-")
                name = model_named_by(self._model.generator.sha256, self._model.generator.name)
                self._search = Newcomers(Path(self._folder.name), name, self._rig, self._device)
            return self._search

    def _is_own(self, who: Avatar) -> bool:
        """Return whether a person is the stream's own."""
        return np.array_equal(who.latent, self._own.latent)

    def _known(self, person: str) -> Avatar:
        """Return a person by name. Raises UsageError for nobody."""
        if person not in self._people:
            raise UsageError(f"nobody here is called {person!r}")
        return self._people[person]

    def _drawn(self, controls: list[float], person: str, size: int | None) -> Picture:
        values = np.asarray(controls, np.float32)
        if values.shape != (len(self.names),) or not np.isfinite(values).all():
            raise UsageError(f"controls are {len(self.names)} finite numbers")
        with self._lock:
            row = values.clip(-self.limit, self.limit)[None]
            drawn: Picture = self._known(person).render(row, size)[0]
        return drawn


def _edit(control: str, keys: KeyList) -> Edit:
    """Return the edit of one control: a value in all frames where it has a single key."""
    first = keys[0][1] if len(keys) == 1 else None
    return Keys(control, tuple(keys)) if first is None else Set(control, first)


def _write_puppet(source: Path, who: Avatar, output: Path) -> None:
    """Write a stream whose motion moves somebody else: quantised as it is, and marked."""
    stream = open_stream(source)
    header = replace(stream.header, metadata={PROVENANCE: SYNTHETIC_COMMENT})

    def begin(writer: StreamWriter) -> None:
        who.write_to(writer)
        if stream.audio is not None:
            writer.set_audio(stream.audio)

    items = (item for item in stream.items(audio=True) if not isinstance(item, ContextPictures))
    write_items(output, header, begin, items)


def random_latent(generator: Generator, seed: int) -> NDArray[np.float32]:
    """Return the identity latent, float32 [num_ws, w_dim], of a person who does not exist."""
    made = torch.Generator().manual_seed(seed)
    z = torch.randn(1, generator.w_dim, generator=made).to(generator.w_mean.device)
    with torch.inference_mode():
        w = generator.mapping(z).reshape(1, -1, generator.w_dim)[0, :1]
        w = generator.w_mean + TRUNCATION * (w - generator.w_mean)
        latent = w.expand(generator.num_ws, -1).cpu().numpy()
    return np.ascontiguousarray(latent)
