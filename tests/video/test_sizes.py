"""Pictures of a dangerous shape are refused before anything works on them."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from facecodec.errors import FacecodecError
from facecodec.picture_limits import MAX_ASPECT, MAX_PICTURE_SIDE, MAX_PIXELS, check_picture_size
from facecodec.video.reader import VideoReader
from tests.helpers.clips import read_picture

# width, height: all of them once reached dlib, which wrote outside its memory on the first five
DANGEROUS = [(200000, 100), (60000, 80), (65535, 100), (100000, 400), (80000, 100), (100, 200000),
             (16385, 1025), (1025, 16385), (1700, 100), (100, 1700), (9000, 9000)]  # fmt: skip


def write_png(path: Path, width: int, height: int) -> None:
    """A grey PNG of any size, of a few bytes a thousand pixels."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(b"\0" + b"\x55" * width) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", rows + packer.flush()), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.parametrize("size", DANGEROUS)
def test_a_reader_refuses_dangerous_sizes_in_one_line(tmp_path, size):
    path = tmp_path / "wide.png"
    write_png(path, *size)
    with pytest.raises(FacecodecError) as error:
        VideoReader(path)
    assert str(error.value).startswith(f"{path}: {size[0]}x{size[1]} pixels")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [(1600, 100), (100, 1600), (16, 1), (1, 1)])
def test_sizes_within_the_limits_are_read(tmp_path, size):
    write_png(tmp_path / "fine.png", *size)
    assert read_picture(tmp_path / "fine.png").shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [size for size in DANGEROUS if size != (9000, 9000)])
def test_the_detector_never_sees_a_dangerous_size(finder, size):
    frame = np.broadcast_to(np.uint8(90), (size[1], size[0], 3))
    with pytest.raises(FacecodecError, match="pixels"):
        finder(frame)


def test_limits_are_exact():
    check_picture_size(MAX_PICTURE_SIDE, MAX_PICTURE_SIDE // MAX_ASPECT)
    check_picture_size(8192, MAX_PIXELS // 8192)
    for size in [(MAX_PICTURE_SIDE + 1, 2000), (1601, 100), (8193, 8192), (0, 5), (5, 0)]:
        with pytest.raises(FacecodecError):
            check_picture_size(*size)


WORST = [(16384, 1024), (9584, 599), (9584, 600), (9600, 600), (4096, 256), (1280, 80), (80, 1280),
         (1024, 16384)]  # fmt: skip


@pytest.mark.slow
def test_the_worst_sizes_that_are_taken_keep_the_heap_whole():
    """Under glibc's checks where they are installed; a corrupted heap ends the process."""
    program = (
        "import dlib, numpy as np\n"
        "detect = dlib.get_frontal_face_detector()\n"
        f"for width, height in {WORST}:\n"
        "    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)\n"
        "    detect(picture, 1 if height < 600 else 0)\n"
    )
    checks = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    subprocess.run([sys.executable, "-c", program], check=True, env=checks, timeout=300)
