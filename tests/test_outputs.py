"""Outputs by kind: what is refused at once, what is never replaced, what a failure leaves."""

from __future__ import annotations

import fcntl
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import facecodec
from facecodec import temporary
from facecodec.atomic import folder_whole, opened_whole, refuse_overwrite, written_whole
from facecodec.errors import FacecodecError, UsageError
from facecodec.temporary import sweep
from facecodec.video.writer import open_sink, refuse_output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: no file may grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def make_folder(tmp_path: Path) -> Path:
    (tmp_path / "is.fcv").mkdir()
    return tmp_path / "is.fcv"


def make_dangling_link(tmp_path: Path) -> Path:
    (tmp_path / "link.fcv").symlink_to(tmp_path / "gone" / "there.fcv")
    return tmp_path / "link.fcv"


def make_socket(tmp_path: Path) -> Path:
    os.mknod(tmp_path / "s.fcv", stat.S_IFSOCK | 0o600)
    return tmp_path / "s.fcv"


def make_file_as_folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "x.fcv"


UNWRITABLE = {
    "folder": make_folder,
    "link to nothing": make_dangling_link,
    "socket": make_socket,
    "below a file": make_file_as_folder,
    "no such folder": lambda tmp_path: tmp_path / "none" / "x.fcv",
    "name of 300 bytes": lambda tmp_path: tmp_path / ("x" * 296 + ".fcv"),
    "name of 300 bytes in UTF-8": lambda tmp_path: tmp_path / ("ü" * 148 + ".fcv"),
    "null byte": lambda tmp_path: tmp_path / "a\0b.fcv",
    "folder nobody writes to": lambda tmp_path: Path("/proc/self/x.fcv"),
}


@pytest.mark.parametrize("kind", UNWRITABLE)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_written_is_refused_at_once(kind, force, tmp_path):
    path = UNWRITABLE[kind](tmp_path)
    before = names(tmp_path)
    with pytest.raises(UsageError) as refused:
        refuse_overwrite(path, force)
    assert "\n" not in str(refused.value)
    assert names(tmp_path) == before


def test_a_full_disk_is_noticed_before_the_work(tmp_path):
    with files_of_at_most(1000), pytest.raises(UsageError, match=r"x\.fcv: cannot be written"):
        refuse_overwrite(tmp_path / "x.fcv", force=False)
    assert names(tmp_path) == []


def test_a_disk_that_fills_up_is_one_error_and_leaves_nothing(tmp_path):
    (tmp_path / "x.fcv").write_text("precious")
    with (
        files_of_at_most(1000),
        pytest.raises(FacecodecError, match=r"x\.fcv: cannot be written"),
        opened_whole(tmp_path / "x.fcv") as file,
    ):
        file.write(bytes(5000))
    assert names(tmp_path) == ["x.fcv"]
    assert (tmp_path / "x.fcv").read_text() == "precious"
    with pytest.raises(FacecodecError, match="/dev/full"), opened_whole("/dev/full") as file:
        file.write(bytes(5000))


@pytest.mark.parametrize("name", ["x" * 251 + ".fcv", "ü" * 125 + ".fcv"])
def test_the_longest_names_that_a_system_takes_are_taken(name, tmp_path):
    refuse_overwrite(tmp_path / name, force=False)
    with opened_whole(tmp_path / name) as file:
        file.write(b"new")
    assert names(tmp_path) == [name]


def test_an_input_is_no_output(tmp_path, monkeypatch):
    path = tmp_path / "in.fcv"
    path.write_text("")
    (tmp_path / "link.fcv").symlink_to(path)
    os.link(path, tmp_path / "hard.fcv")
    monkeypatch.chdir(tmp_path)
    for output in ("in.fcv", "./in.fcv", "link.fcv", "hard.fcv", path):
        for inputs in ([path], [None, "-", str(path)], ["in.fcv"]):
            with pytest.raises(UsageError, match="is an input"):
                refuse_overwrite(output, True, inputs)
    refuse_overwrite("other.fcv", True, [path, None, "-", tmp_path / "absent"])


@pytest.mark.parametrize("kind", ["a clip of it", "a rig", "a person"])
def test_no_encode_replaces_what_it_reads(kind, tmp_path):
    path = tmp_path / "precious.avi"
    with open_sink(str(path.with_suffix(".mkv")), (32, 32), Fraction(1, 25), Fraction(25)) as sink:
        sink.write(PICTURE, 0)
    path.with_suffix(".mkv").rename(path)
    options = {"a clip of it": {}, "a rig": {"rig": path}, "a person": {"identity": path}}[kind]
    source = facecodec.Clip.open(path) if kind == "a clip of it" else [PICTURE]
    with pytest.raises(UsageError, match="is an input"):
        facecodec.encode(source, path, force=True, **options)


def test_a_stream_is_not_written_to_a_terminal(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with pytest.raises(UsageError, match="terminal"):
        refuse_overwrite("-", force=False)


@pytest.mark.parametrize("force", [False, True])
def test_a_device_stays_a_device(force, tmp_path):
    device = tmp_path / "null.fcv"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.open("wb").close()
    except PermissionError:
        device = Path("/dev/null")
    (tmp_path / "link.fcv").symlink_to(device)
    for path in (device, tmp_path / "link.fcv"):
        refuse_overwrite(path, force)
        with opened_whole(path) as file:
            file.write(b"into the void")
        with written_whole(path) as same:
            same.write_bytes(b"into the void")
        assert stat.S_ISCHR(path.stat().st_mode)
    assert (tmp_path / "link.fcv").is_symlink()


def test_a_pipe_with_a_name_is_written_into(tmp_path):
    pipe = tmp_path / "pipe.fcv"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    refuse_overwrite(pipe, force=False)
    with opened_whole(pipe) as file:
        file.write(b"through")
    reader.join(10)
    assert read == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_block_device_is_refused(tmp_path):
    try:
        os.mknod(tmp_path / "disk.fcv", stat.S_IFBLK | 0o600, os.makedev(7, 250))
    except PermissionError:
        pytest.skip("no right to make a device here")
    for force in (False, True):
        with pytest.raises(UsageError, match="no file"):
            refuse_overwrite(tmp_path / "disk.fcv", force)


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there" / "real.fcv", tmp_path / "link.fcv"
    real.write_text("old")
    link.symlink_to(real)
    with pytest.raises(UsageError, match="exists"):
        refuse_overwrite(link, force=False)
    refuse_overwrite(link, force=True)
    with opened_whole(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert names(tmp_path / "there") == ["real.fcv"]


def test_temporary_names_cannot_be_foreseen_nor_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    seen = set()
    for _ in range(3):
        with opened_whole(tmp_path / "x.fcv"):
            (name,) = {*names(tmp_path)} - {"x.fcv", "victim"}
            seen.add(name)
            assert len(name) < 40
    assert len(seen) == 3
    planted = tmp_path / f"{temporary.PREFIX}{'0' * 16}{temporary.SUFFIX}"
    planted.symlink_to(victim)
    monkeypatch.setattr("secrets.token_hex", lambda _: "0" * 16)
    with pytest.raises(UsageError), opened_whole(tmp_path / "y.fcv") as file:
        file.write(b"over the victim")
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_new_files_follow_the_umask_and_old_ones_keep_their_permissions(mask, mode, tmp_path):
    private = tmp_path / "private.fcv"
    private.touch()
    private.chmod(0o600)
    with umask(mask):
        for path in (tmp_path / "new.fcv", private):
            with opened_whole(path) as file:
                file.write(b"x")
    assert stat.S_IMODE((tmp_path / "new.fcv").stat().st_mode) == mode
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_what_a_killed_writer_left_is_swept_but_not_what_is_being_written(tmp_path):
    script = (
        "import os, pathlib, facecodec.atomic as a\n"
        "with a.written_whole(pathlib.Path('out.fcv')), a.folder_whole(pathlib.Path('.')) as f:\n"
        "    (f / 'p1.png').touch(); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
    left = {*names(tmp_path)}
    assert len(left) == 2
    (tmp_path / ".facecodec-notes").touch()
    with written_whole(tmp_path / "x.fcv"), folder_whole(tmp_path):
        writing = {*names(tmp_path)} - left
        refuse_overwrite(tmp_path / "y.fcv", force=False)
        assert {*names(tmp_path)} == writing and len(writing) == 3
    assert names(tmp_path) == [".facecodec-notes", "x.fcv"]


def replaced_by_links(folder: Path, victim: Path) -> None:
    """Do what somebody else may who can write to a folder: put links in place of what is in it."""
    for path in folder.iterdir():
        path.rename(folder.parent / f"taken-{path.name}")
        path.symlink_to(victim)


@pytest.mark.parametrize("name", ["x.fcv", "x.mp4", "x.y4m", "p%d.png"])
def test_a_temporary_that_is_replaced_by_a_link_is_not_followed(name, tmp_path):
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    shared.mkdir()
    victim.mkdir() if "%" in name else victim.write_text("precious")
    try:
        if name.endswith(".fcv"):
            with opened_whole(shared / name) as file:
                replaced_by_links(shared, victim)
                file.write(b"over the victim")
        else:
            with open_sink(str(shared / name), (32, 32), Fraction(1, 25), Fraction(25)) as sink:
                replaced_by_links(shared, victim)
                sink.write(PICTURE, 0)
    except (FacecodecError, OSError):
        pass
    assert not names(victim) if victim.is_dir() else victim.read_text() == "precious"


def test_a_store_whose_temporary_is_replaced_by_a_link(tmp_path):
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    shared.mkdir()
    victim.write_text("precious")
    with written_whole(shared / "x.dat") as made:
        replaced_by_links(shared, victim)
        made.write_bytes(b"over the victim")
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("make", [opened_whole, folder_whole])
def test_a_sweep_between_making_a_temporary_and_its_lock(make, tmp_path, monkeypatch):
    """The sweep takes it for one that was left behind, and holds its lock as it removes it."""
    lock, made = fcntl.flock, []

    def swept_first(handle: int, how: int) -> None:
        if not made:
            path = Path(f"/proc/self/fd/{handle}").readlink()
            made.append(os.open(path, os.O_RDONLY))
            lock(made[0], fcntl.LOCK_EX)
            threading.Timer(0.1, lambda: temporary._remove(path)).start()
        lock(handle, how)

    monkeypatch.setattr("fcntl.flock", swept_first)
    target = tmp_path if make is folder_whole else tmp_path / "x.fcv"
    with make(target) as out:
        time.sleep(0.2)
        (out / "x.fcv").write_bytes(b"x") if make is folder_whole else out.write(b"x")
    os.close(made[0])
    assert names(tmp_path) == ["x.fcv"]


def test_a_sweep_between_making_a_folder_and_opening_it(tmp_path, monkeypatch):
    make, swept = Path.mkdir, []

    def swept_at_once(self: Path, mode: int = 0o777) -> None:
        make(self, mode)
        if not swept:
            swept.append(self)
            self.rmdir()

    monkeypatch.setattr(Path, "mkdir", swept_at_once)
    with folder_whole(tmp_path) as folder:
        (folder / "x").touch()
    assert swept and names(tmp_path) == ["x"]


def test_sweeping_follows_no_link(tmp_path):
    victim = tmp_path / "victim"
    victim.touch()
    (tmp_path / ".facecodec-0.part").symlink_to(victim)
    sweep(tmp_path)
    assert victim.exists()


def test_data_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    order: list[str] = []
    flush, replace = os.fsync, Path.replace
    monkeypatch.setattr("os.fsync", lambda handle: (order.append("flush"), flush(handle))[1])
    monkeypatch.setattr(
        Path, "replace", lambda self, to: (order.append("rename"), replace(self, to))[1]
    )
    with opened_whole(tmp_path / "x.fcv") as file:
        file.write(b"x")
    assert order == ["flush", "rename", "flush"]


PICTURE = np.zeros((32, 32, 3), np.uint8)


def write_series(pattern: Path, count: int, fail: bool = False) -> None:
    with open_sink(str(pattern), (32, 32), Fraction(1, 25), Fraction(25)) as sink:
        for i in range(count):
            sink.write(PICTURE, i)
        if fail:
            raise RuntimeError("in the middle")


def test_every_name_of_a_series_is_looked_at(tmp_path):
    for there in ("f000005.png", "f123456789.png"):
        (tmp_path / there).touch()
        with pytest.raises(UsageError, match=there):
            refuse_output(str(tmp_path / "f%06d.png"), force=False)
        refuse_output(str(tmp_path / "f%06d.png"), force=True)
        (tmp_path / there).unlink()
    for foreign in ("f5.png", "f00005.png", "g000005.png", "f000005.jpg", "f000005.png.txt"):
        (tmp_path / foreign).touch()
    refuse_output(str(tmp_path / "f%06d.png"), force=False)
    with pytest.raises(UsageError, match=r"f5\.png"):
        refuse_output(str(tmp_path / "f%d.png"), force=False)


def test_a_series_replaces_no_input(tmp_path):
    for number in (1, 5):
        given = tmp_path / f"f{number}.png"
        given.touch()
        with pytest.raises(UsageError, match=rf"f{number}\.png is an input"):
            refuse_output(str(tmp_path / "f%d.png"), force=True, inputs=[given])
        given.unlink()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("x")])
def test_a_series_replaces_nothing_but_files(make, tmp_path):
    make(tmp_path / "f7.png")
    with pytest.raises(UsageError, match=r"f7\.png is no file"):
        refuse_output(str(tmp_path / "f%d.png"), force=True)


def test_a_failed_series_leaves_nothing_and_takes_nothing(tmp_path):
    (tmp_path / "p2.png").write_text("precious")
    with pytest.raises(RuntimeError):
        write_series(tmp_path / "p%d.png", 3, fail=True)
    assert names(tmp_path) == ["p2.png"]
    assert (tmp_path / "p2.png").read_text() == "precious"
    write_series(tmp_path / "p%d.png", 3)
    assert names(tmp_path) == ["p1.png", "p2.png", "p3.png"]


def test_a_series_follows_the_umask(tmp_path):
    with umask(0o022):
        write_series(tmp_path / "p%d.png", 1)
    assert stat.S_IMODE((tmp_path / "p1.png").stat().st_mode) == 0o644


GOOD_NAMES = [
    "100%.mp4", "%d.mkv", "a%b.y4m", "a:b.mp4", "http:x.mp4", "file:x.webm", "pipe:1.mkv",
    "-rf.mp4", "UPPER.MP4", "Mixed.Y4m", "P%02d.PNG", "50%%-%d.png", "a:%d.png", "é 漢.mp4",
    "x;y&z.mov", "[1].mp4", " .mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_a_system_takes_are_written_as_they_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refuse_output(name, force=False)
    write_series(Path(name), 2)
    wanted = [name]
    if name.lower().endswith(".png"):
        wanted = [name % 1, name % 2]
    assert names(tmp_path) == sorted(wanted)
    assert all(path.stat().st_size for path in tmp_path.iterdir())
    with pytest.raises(UsageError, match="exists"):
        refuse_output(name, force=False)


@pytest.mark.parametrize("folder", ["http:", "a%d", "-", "concat:a|b"])
def test_folders_of_odd_names(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).mkdir()
    for name in ("x.mp4", "p%d.png"):
        write_series(Path(folder) / name, 1)
    assert names(tmp_path / folder) == ["p1.png", "x.mp4"]


BAD_NAMES = [
    "x", "x.avi", "x.fcv", "%s.png", "%d%d.png", "%5d.png", "%999999999d.png",
    "%.3d.png", "%(a)d.png", "100%.png", "%c.png", ".mp4",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_cannot_be_right_are_refused_at_once(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        refuse_output(name, force=False)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "webm", "y4m"])
def test_a_failed_video_keeps_the_old_one(ending, tmp_path):
    path = tmp_path / f"x.{ending}"
    path.write_text("precious")
    with pytest.raises(RuntimeError):
        write_series(path, 2, fail=True)
    assert names(tmp_path) == [path.name]
    assert path.read_text() == "precious"
