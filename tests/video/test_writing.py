"""Videos by codec, quality and bits; moving pictures; single pictures; series over older ones."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from facecodec.cli.decode import CODECS as COMMAND_CODECS
from facecodec.errors import ExistsError, UsageError
from facecodec.types import Picture
from facecodec.video.coding import CODECS, Writing, check_writing
from facecodec.video.writer import check_output, open_sink, refuse_output

SIZE = (96, 64)
RATE = Fraction(25)


def picture(i: int) -> Picture:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return np.stack([2 * x, 3 * y, 40 + 20 * i + 0 * x], -1).clip(0, 255).astype(np.uint8)


def write(path: Path, how: Writing | None = None, count: int = 4) -> None:
    with open_sink(
        str(path), SIZE, 1 / RATE, RATE, None, {"comment": "made"}, how or Writing()
    ) as s:
        for i in range(count):
            s.write(picture(i), i)


@pytest.mark.parametrize("name", [name for name in CODECS if not CODECS[name].hardware])
def test_every_codec_in_every_container_that_takes_it(name, tmp_path):
    codec = CODECS[name]
    for ending in codec.endings:
        for bits, form in codec.formats.items():
            path = tmp_path / f"x{bits}{ending}"
            write(path, Writing(codec=name, bits=bits))
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
                assert stream.codec_context.pix_fmt.replace("bgra", "bgr0") == form
                if codec.tag and ending in (".mp4", ".mov"):
                    assert stream.codec_context.codec_tag == codec.tag
            assert len(frames) == 4
            off = np.abs(frames[3].astype(int) - picture(3)).mean()
            assert off == 0 if name == "ffv1" else off < 6


@pytest.mark.parametrize("name", [name for name in CODECS if CODECS[name].hardware])
def test_an_encoder_without_its_device_is_said_in_one_line(name, tmp_path):
    path = tmp_path / f"x{CODECS[name].endings[0]}"
    try:
        check_writing(str(path), Writing(codec=name))
    except UsageError as error:
        assert CODECS[name].encoder in str(error)  # noqa: PT017 - a machine may have the device
        assert "\n" not in str(error)
        assert not path.exists()
    else:
        write(path, Writing(codec=name))


def test_the_command_knows_every_codec():
    assert set(COMMAND_CODECS) == set(CODECS)


def test_a_worse_quality_is_smaller(tmp_path):
    sizes = []
    for crf in (5, 45):
        write(tmp_path / f"{crf}.mp4", Writing(crf=crf), 12)
        sizes.append((tmp_path / f"{crf}.mp4").stat().st_size)
    assert sizes[0] > 1.5 * sizes[1]


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("x.mp4", Writing(codec="h263"), "no codec"),
        ("x.webm", Writing(codec="x264"), ".mp4, .mov, .mkv"),
        ("x.mp4", Writing(crf=52), "0 to 51"),
        ("x.mov", Writing(codec="prores", crf=3), "no quality"),
        ("x.webm", Writing(bits=10), "8 bits, not 10"),
        ("x.y4m", Writing(crf=3), "for videos"),
        ("-", Writing(codec="x264"), "for videos"),
        ("x%d.png", Writing(bits=8), "for videos"),
    ],
)
def test_what_cannot_be_is_refused_at_once(name, how, said):
    with pytest.raises(UsageError, match=said):
        check_writing(name, how)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_moving_pictures(ending, tmp_path):
    path = tmp_path / f"x{ending}"
    write(path)
    with Image.open(path) as image:
        assert image.n_frames == 4
        durations = []
        for i in range(4):
            image.seek(i)
            shown = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(shown - picture(i)).mean() < 8
            durations.append(image.info["duration"])
        assert durations == [40] * 4
        assert image.info["loop"] == 0
    with pytest.raises(ExistsError):
        refuse_output(str(path), force=False)


def test_a_gif_leaves_out_what_browsers_would_slow_down(tmp_path):
    with open_sink(str(tmp_path / "x.gif"), SIZE, Fraction(1, 100), None) as sink:
        for i in range(8):
            sink.write(picture(i), i)
    with Image.open(tmp_path / "x.gif") as image:
        assert image.n_frames == 4


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "X.JPEG"])
def test_one_picture_is_the_first(name, tmp_path):
    write(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        shown = np.asarray(image.convert("RGB")).astype(int)
        kept = image.info.get("Comment", image.info.get("comment"))
    assert kept in ("made", b"made")
    assert np.abs(shown - picture(0)).mean() < (0.1 if name == "x.png" else 2)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_shorter_series_leaves_none_of_a_longer_one(ending, tmp_path):
    pattern = tmp_path / f"f%03d.{ending}"
    write(pattern, count=5)
    for other in ("f9.png", "g004.png", "f004.txt"):
        (tmp_path / other).touch()
    write(pattern, count=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    kept = [f"f{i:03}.{ending}" for i in (1, 2)]
    assert names == sorted([*kept, "f9.png", "g004.png", "f004.txt"])


def test_the_folder_of_a_series_is_made(tmp_path):
    pattern = tmp_path / "new" / "deep" / "f%d.png"
    refuse_output(str(pattern), force=False)
    assert not (tmp_path / "new").exists()
    write(pattern, count=2)
    assert sorted(p.name for p in pattern.parent.iterdir()) == ["f1.png", "f2.png"]
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        refuse_output(str(tmp_path / "file" / "f%d.png"), force=False)


@pytest.mark.parametrize("name", ["%s.png", "%d%d.jpg", "100%.png", ".png", ".gif"])
def test_odd_names_are_no_outputs(name):
    with pytest.raises(UsageError):
        check_output(name)
