"""Tensors in files of torch.save, both formats, read lazily and without torch.

The zip format (torch 1.6 and later) holds one pickle and a member a storage; the older one is five
pickles in a row and then the storages. Both pickles are read by `safe_pickle`, and a storage's
bytes are fetched only once the shape of the tensor that wants them is known to be right.
"""

from __future__ import annotations

import io
import mmap
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from facecodec.errors import ModelError
from facecodec.weights.safe_pickle import Global, Table, inert, load
from facecodec.weights.stored_tensor import DTYPES, Allowance, Storage, rebuild_tensor

# The first two pickles of a file of torch before 1.6, which is no zip archive.
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_PICKLE_BYTES = 64 << 20
MAX_MEMBERS = 20_000  # of a zip archive; a StyleGAN2 has some 200


def _first(value: Any, *_: Any) -> Any:
    return value


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    if pairs:
        raise ModelError("the pickle fills an OrderedDict in a way torch never does: refused")
    return {}


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, list) or not all(isinstance(item, str | int) for item in items):
        raise ModelError("the pickle holds a set of something other than names: refused")
    return set(items)


def _latin1(text: Any, encoding: Any) -> bytes:
    """Stand for _codecs.encode, which old pickle protocols write bytes with."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ModelError("the pickle encodes something that is no bytes: refused")
    return text.encode("latin1")


def _no_call(*_: Any) -> Any:
    raise ModelError("the pickle makes a storage by hand: refused")


TABLE: Table = {
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch.nn.parameter", "Parameter"): _first,
    ("collections", "OrderedDict"): _ordered_dict,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    **{("torch", kind): _no_call for kind in DTYPES},
    # What training leaves beside the weights; kept as inert lumps.
    ("argparse", "Namespace"): inert,
    **{
        (module, kind): inert
        for module in ("pathlib", "pathlib._local")  # the latter in Python 3.13
        for kind in ("PosixPath", "WindowsPath")
    },
    ("torch", "device"): inert,
    ("torch", "Size"): inert,
    ("_codecs", "encode"): _latin1,
    ("numpy", "dtype"): inert,
    ("numpy", "ndarray"): inert,
    **{
        (f"numpy.{core}.multiarray", name): inert
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    },
}


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield the value that torch.save wrote into `path`; tensors in it are `StoredTensor`s.

    They can be read as long as the context lasts. Raises ModelError for anything not allowed.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:2] != b"PK":
            yield read_legacy(data)  # type: ignore[arg-type]
            return
        _refuse_many_members(data)
        try:
            with zipfile.ZipFile(file) as archive:
                yield _read_zip(archive, Allowance(len(data)))
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
            raise ModelError(f"the zip archive is damaged: {error}") from error


def _refuse_many_members(data: mmap.mmap) -> None:
    """Raise ModelError for a zip directory of so many members that listing them takes minutes."""
    place = -1
    for _ in range(MAX_MEMBERS):
        place = data.find(b"PK\x01\x02", place + 1)
        if place < 0:
            return
    raise ModelError(f"the archive has more than {MAX_MEMBERS} members: refused")


def _read_zip(archive: zipfile.ZipFile, allowance: Allowance) -> Any:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename in members:
            raise ModelError(f"the archive holds {info.filename[:80]!r} twice: refused")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ModelError("the archive is compressed, which torch.save never does: refused")
        members[info.filename] = info
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ModelError("the archive is not a torch file: it has no data.pkl of its own")
    folder = pickles[0].removesuffix("data.pkl")
    if members[pickles[0]].file_size > MAX_PICKLE_BYTES:
        raise ModelError(f"data.pkl is larger than {MAX_PICKLE_BYTES >> 20} MB: refused")
    order = f"{folder}byteorder"
    if order in members and (
        members[order].file_size > 16 or archive.read(members[order]) != b"little"
    ):
        raise ModelError("the file was written on a big-endian machine")

    def storage(identifier: Any) -> Storage:
        kind, key, count = _parse_storage(identifier)
        info = members.get(f"{folder}data/{key}")
        if info is None:
            raise ModelError(f"the archive lacks the storage {key[:40]!r}")
        if info.file_size != count * np.dtype(DTYPES[kind]).itemsize:
            raise ModelError(f"storage {key[:40]!r} is not {count} numbers long: refused")
        return Storage(kind, count, lambda: fetch(info))

    def fetch(info: zipfile.ZipInfo) -> bytes:
        allowance.take(info.file_size)
        return archive.read(info)

    return load(io.BytesIO(archive.read(members[pickles[0]])), TABLE, storage)


def read_legacy(file: BinaryIO) -> Any:
    """Return the value of a file of the older format, which begins at `file`'s position.

    `file` is a BytesIO or a memory map, and must stay open while tensors are read.
    Raises ModelError for a file that is cut short, damaged, or from a big-endian machine.
    """
    for expected in (LEGACY_MAGIC, LEGACY_PROTOCOL):
        if load(file, {}) != expected:
            raise ModelError("the file is not a checkpoint of torch.save")
    system = load(file, {})
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ModelError("the file was written on a big-endian machine")
    allowance = Allowance(_size(file))
    wanted: dict[str, Storage] = {}
    places: dict[str, int] = {}

    def storage(identifier: Any) -> Storage:
        kind, key, count = _parse_storage(identifier)
        made = Storage(kind, count, lambda: _fetch(file, places[key], made, allowance))
        if key in wanted and (wanted[key].kind, wanted[key].count) != (kind, count):
            raise ModelError(f"storage {key[:40]!r} is described in two ways: refused")
        return wanted.setdefault(key, made)

    value = load(file, TABLE, storage)
    keys = load(file, {})
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or sorted(keys) != sorted(wanted):
        raise ModelError("the file does not list the storages it uses: it is damaged")
    place = file.tell()
    for key in keys:
        places[key] = place
        place += 8 + wanted[key].count * np.dtype(DTYPES[wanted[key].kind]).itemsize
    if _size(file) < place:
        raise ModelError("the file is cut short: its last storages are missing")
    return value


def _size(file: BinaryIO) -> int:
    place = file.tell()
    file.seek(0, io.SEEK_END)
    size = file.tell()
    file.seek(place)
    return size


def _fetch(file: BinaryIO, place: int, storage: Storage, allowance: Allowance) -> bytes:
    file.seek(place)
    if int.from_bytes(file.read(8), "little") != storage.count:
        raise ModelError("a storage has another length than its description: refused")
    size = storage.count * np.dtype(DTYPES[storage.kind]).itemsize
    allowance.take(size)
    return file.read(size)


def _parse_storage(identifier: Any) -> tuple[str, str, int]:
    """Return kind, key and number of elements of a persistent identifier of a storage."""
    if not isinstance(identifier, tuple) or len(identifier) not in (5, 6):
        raise ModelError("the pickle refers to something that is no storage: refused")
    tag, kind, key, _, count = identifier[:5]
    if (
        tag != "storage"
        or not isinstance(kind, Global)
        or kind.name not in DTYPES
        or not isinstance(key, str)
        or type(count) is not int
        or count < 0
        or (len(identifier) == 6 and identifier[5] is not None)
    ):
        raise ModelError("the pickle describes a storage in a way torch never does: refused")
    return kind.name, key, count
