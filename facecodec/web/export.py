"""Writes a folder that any browser plays: a page, its player, a generator, a rig and streams."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import string
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from facecodec.atomic import probe
from facecodec.avatar.avatar import Avatar
from facecodec.avatar.identity import identity_for
from facecodec.bitstream import StreamReader, open_stream
from facecodec.decoding.cut import no_frames
from facecodec.errors import ExistsError, FacecodecError, StreamError, UsageError
from facecodec.models import Device, FaceModel, load_stream_models
from facecodec.progress import Progress, silent
from facecodec.temporary import temporary
from facecodec.version import __version__
from facecodec.video.still import encode_jpeg
from facecodec.web.network import pack_network
from facecodec.weights.store import readable_records

POSTER_PIXELS = 512
PAGE_FILES = ("page.css", "page.js", "icon.svg")
MARKS = ("index.html", "generator/generator.json")  # what tells an exported folder from others
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60  # characters of a stream's name in the folder
_STAGE = "exporting"


@dataclass(frozen=True)
class ExportSummary:
    """What was written: the number of streams, the bytes of all files, those of the weights."""

    streams: int
    bytes: int
    generator_bytes: int


@dataclass(frozen=True)
class _Talk:
    """One stream of the page: its name in the folder, what it is called, facts in words."""

    name: str
    title: str
    facts: str


def export(
    output: str | Path,
    sources: Sequence[str | Path],
    *,
    title: str | None = None,
    identity: str | Path | None = None,
    rig: str | Path | None = None,
    device: Device = "auto",
    force: bool = False,
    progress: Progress = silent,
) -> ExportSummary:
    """Write a folder with a page that plays streams, for any static server.

    output: the folder; its parent exists. sources: `.fcv` files of one generator and one rig.
    title: of the page; without it, the first stream's name. identity: the `.fci` file that streams
    may refer to; without it, the right one is looked for beside each. rig: a rig file, for a
    generator without its own. device: where the posters are drawn. force: replace an exported
    folder. progress: told the streams that are done.

    Raises UsageError for a folder that is in the way, no stream, or a generator that the player
    cannot draw; StreamError for a file that is no stream or has no frames, and where an identity
    file is missing; ModelError when the generator is not installed.
    """
    output = Path(output)
    _refuse_folder(output, force)
    if not sources:
        raise UsageError("name a stream to export")
    assets = [(folder, assets_folder(folder)) for folder in ("player", "page")]
    streams = [open_stream(source) for source in sources]
    model = load_stream_models(streams[0].header, streams[0].name, rig, device)
    for stream in streams:
        _refuse_other(stream, streams[0])
    facts, weights = pack_network(model.generator)
    with temporary(output.absolute().parent, folder=True) as made:
        folder = made.name
        shutil.copytree(dict(assets)["player"], folder / "player")
        for name in PAGE_FILES:
            shutil.copyfile(dict(assets)["page"] / name, folder / name)
        _write_generator(folder / "generator", model, facts, weights)
        talks = list(_write_streams(folder, streams, model, identity, progress))
        template = (dict(assets)["page"] / "index.html").read_text(encoding="utf-8")
        page = _page(template, talks, title, facts)
        (folder / "index.html").write_text(page, encoding="utf-8")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if output.exists():
            shutil.rmtree(output)
        folder.rename(output)
    return ExportSummary(len(talks), size, len(weights))


def assets_folder(name: str) -> Path:
    """Return the folder of the player's or the page's files.

    Raises FacecodecError where they are missing.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / name, here.parent.parent / "web" / name):  # installed; in a checkout
        if folder.is_dir():
            return folder
    raise FacecodecError(f"{here / name}: the player's files are missing; reinstall facecodec")


def _refuse_folder(output: Path, force: bool) -> None:
    """Raise UsageError unless the folder can be written: a new one, or an export to replace."""
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise UsageError(f"{output} is no folder; name another one")
    if output.is_dir() and any(output.iterdir()):
        if not all((output / mark).is_file() for mark in MARKS):
            raise UsageError(f"{output} holds other files; name a new folder")
        if not force:
            raise ExistsError(f"{output} exists already")
    probe(output.absolute().parent, output)


def _refuse_other(stream: StreamReader, first: StreamReader) -> None:
    """Raise UsageError unless a stream has the generator and the rig of the first one."""
    header, wanted = stream.header, first.header
    for what in ("generator", "rig"):
        if getattr(header, f"{what}_sha256") != getattr(wanted, f"{what}_sha256"):
            raise UsageError(f"{stream.name}: made with another {what} than {first.name}")


def _write_generator(
    folder: Path, model: FaceModel, facts: dict[str, object], weights: bytes
) -> None:
    """Write the generator's numbers, what they are, the rig, and the licence; add it to `facts`."""
    records = [record for record in readable_records() if record.sha256 == model.generator.sha256]
    facts["licence"] = records[0].licence if records else "not known"
    facts["source"] = records[0].source if records else "not known"
    folder.mkdir()
    (folder / "generator.bin").write_bytes(weights)
    (folder / "generator.json").write_text(_json(facts))
    rig = {**asdict(model.rig), "sha256": model.rig.sha256}
    (folder / "rig.json").write_text(_json(rig))
    (folder / "LICENCE.txt").write_text(
        f"generator.bin holds the weights of {facts['name']} (SHA-256 {facts['sha256']}),\n"
        f"from {facts['source']}, in half precision.\n\nLicence: {facts['licence']}\n\n"
        "They are not under the licence of the player. Who puts this folder where others can\n"
        "reach it passes the weights on.\n"
    )


def _write_streams(
    folder: Path,
    streams: Sequence[StreamReader],
    model: FaceModel,
    identity: str | Path | None,
    progress: Progress,
) -> Iterator[_Talk]:
    """Write streams, the people they refer to, and a picture of each; yield what they are."""
    for name in ("streams", "identities"):
        (folder / name).mkdir()
    taken: set[str] = set()
    for number, stream in enumerate(streams):
        person = identity_for(stream, identity) if stream.identity_reference else None
        avatar = Avatar.from_stream(stream, None if person is None else identity, model=model)
        name = _name(Path(stream.name).stem, taken)
        frames = iter(stream.frames())
        first = next(frames, None)
        if first is None:
            raise no_frames(stream, None, None)
        count = 1 + sum(1 for _ in frames)
        shutil.copyfile(stream.name, folder / "streams" / f"{name}.fcv")
        if person is not None:
            data = person.pack()
            if hashlib.sha256(data).digest() != person.sha256:
                raise StreamError(
                    f"{stream.name}: its .fci file is of another writer; encode it again"
                )
            (folder / "identities" / f"{person.sha256.hex()}.fci").write_bytes(data)
        picture = avatar.render(first.controls[None], POSTER_PIXELS)[0]
        (folder / "streams" / f"{name}.jpg").write_bytes(encode_jpeg(picture))
        yield _Talk(name, Path(stream.name).stem, _facts(stream, count, person is not None))
        progress(_STAGE, number + 1, len(streams))


def _name(stem: str, taken: set[str]) -> str:
    """Return a name for a file that every server takes, and add it to those that are taken."""
    base = _UNSAFE.sub("-", stem).strip("-.")[:_LONGEST_NAME] or "stream"
    name, number = base, 1
    while name.lower() in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name.lower())
    return name


def _facts(stream: StreamReader, frames: int, elsewhere: bool) -> str:
    """Return what a stream is, in words."""
    size, rate = Path(stream.name).stat().st_size, stream.header.frame_rate
    words = [f"{frames} frames"]
    if rate is not None:
        words.append(f"{float(frames / rate):.1f} s")
    words.append(f"{size / 1000:.1f} KB" + (", the person apart" if elsewhere else ""))
    if stream.audio is not None:
        words.append(f"sound as {stream.audio.codec}")
    if said := stream.header.metadata.get("provenance"):
        words.append(said)
    return " · ".join(words)


def _page(
    template: str, talks: Sequence[_Talk], title: str | None, facts: dict[str, object]
) -> str:
    """Return the page: whatever came out of a file is escaped."""
    rows = []
    for i, talk in enumerate(talks):
        now = ' aria-current="true"' if i == 0 else ""
        said, poster = html.escape(talk.title), f"streams/{talk.name}.jpg"
        rows.append(
            f'<a href="streams/{talk.name}.fcv" data-poster="{poster}" data-title="{said}" '
            f'data-facts="{html.escape(talk.facts)}"{now}>'
            f'<img src="{poster}" alt="" loading="lazy">'
            f"<span>{said}<small>{html.escape(talk.facts.split(' · ')[0])}</small></span></a>"
        )
    first = talks[0]
    return string.Template(template).substitute(
        title=html.escape(title or first.title),
        facts=html.escape(first.facts),
        src=f"streams/{first.name}.fcv",
        poster=f"streams/{first.name}.jpg",
        alone=" hidden" if len(talks) == 1 else "",
        streams="\n".join(rows),
        generator=html.escape(str(facts["name"])),
        source=html.escape(str(facts["source"])),
        licence=html.escape(str(facts["licence"])),
        version=__version__,
    )


def _json(data: object) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
