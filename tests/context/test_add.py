"""A context added to a stream out of its source, and the frames it decodes to."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facecodec.bitstream import ContextPictures, FrameRecord, StreamReader, StreamWriter
from facecodec.bitstream.container.verify import verify
from facecodec.cli.console import said_of_moving
from facecodec.cli.main import run
from facecodec.context import make, worth
from facecodec.context.av1 import encode_after, shows_face
from facecodec.decoding.canvas import Canvas
from facecodec.editing import context
from facecodec.editing.context import add_context
from facecodec.errors import UsageError
from facecodec.types import Picture
from facecodec.video.container_sink import ContainerSink
from tests.helpers import toy_streams

WIDTH, HEIGHT, FRAMES = 192, 128, 40
RATE = Fraction(5)
PLACE = np.array([96, 60, 70, 0])


def room(i: int) -> Picture:
    """Return a room with a window, and a head in it that goes up and down."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.stack([90 + x // 4, 60 + y // 2, 120 + 0 * x], -1).astype(np.uint8)
    picture[10:40, 10:50] = (250, 250, 240)
    middle = 60 + 6 * np.sin(i / 4)
    picture[((x - 96) / 14) ** 2 + ((y - middle) / 18) ** 2 < 1] = (255, 0, 0)
    return picture


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """Return a video, and a stream of it in segments of 30 frames."""
    folder = tmp_path_factory.mktemp("context")
    base = 1 / RATE
    with ContainerSink(folder / "room.mp4", (WIDTH, HEIGHT), base, RATE, None, {}) as sink:
        for i in range(FRAMES):
            sink.write(room(i), i)
    head = toy_streams.header(width=WIDTH, height=HEIGHT, time_base=base, frame_rate=RATE)
    with (folder / "face.fcv").open("wb") as file, StreamWriter(file, head) as writer:
        writer.write_identity(toy_streams.latent(), toy_streams.W_MEAN)
        for i, row in enumerate(toy_streams.motion(FRAMES)):
            place = PLACE + [0, 6 * np.sin(i / 4), 0, 0]
            writer.write_frame(i, row, place)
    return folder / "room.mp4", folder / "face.fcv"


def laid(stream: StreamReader) -> list[Picture]:
    """Return the frames of a stream with green squares for faces."""
    canvas = Canvas(stream.header, "source", None, 64, stream.context_plate)
    green = np.full((64, 64, 3), (0, 255, 0), np.uint8)
    frames = []
    for item in stream.items(context=True):
        if isinstance(item, ContextPictures):
            canvas.take(item)
        elif isinstance(item, FrameRecord):
            frames += [picture for picture, _ in canvas.add(green, item)]
    frames += [picture for picture, _ in canvas.rest()]
    assert not canvas.damage
    return frames


@pytest.mark.parametrize("context", ["still", 4000])
def test_the_room_comes_back_and_a_still_one_has_no_face_in_it(files, tmp_path, context):
    video, face = files
    done = add_context(face, video, tmp_path / "whole.fcv", context)
    assert done.bytes > face.stat().st_size
    assert 0 < done.context_bytes < (4000 * FRAMES / RATE / 8 if context == 4000 else 3100)
    assert done.moving < 0.05
    data = (tmp_path / "whole.fcv").read_bytes()
    stream = toy_streams.read(data)
    assert verify(stream) == (FRAMES, [])
    records = list(toy_streams.read(face.read_bytes()))
    assert [f.controls.tobytes() for f in stream] == [f.controls.tobytes() for f in records]
    frames = laid(stream)
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    for i in (0, 17, FRAMES - 1):
        around = np.ones((HEIGHT, WIDTH), bool)
        around[20:105, 50:140] = False
        off = np.abs(frames[i].astype(int) - room(i))[around].mean()
        assert off < 6, i
        assert tuple(frames[i][60, 96]) == (0, 255, 0)
    plate = toy_streams.read(data)
    canvas = Canvas(plate.header, "source", None, 64, plate.context_plate)
    away = next(iter(plate.frames()))
    empty = canvas(
        np.zeros((64, 64, 3), np.uint8), FrameRecord(0, 0, away.controls, None, away.flags)
    )
    red = empty[..., 0].astype(int) - empty[..., 1]
    assert red[60, 96] < 120 or context != "still", "the face was painted over"
    assert shows_face(plate.context_plate) == (context != "still")


@pytest.mark.parametrize(("left", "shown"), [(0.5, True), (0.95, False)])
def test_a_tuned_face_is_painted_over_where_it_is_not_worth_its_bytes(
    files, tmp_path, monkeypatch, left, shown
):
    video, face = files
    monkeypatch.setattr(context, "_drawn", lambda *_: lambda number: None)
    monkeypatch.setattr(worth, "left_by_retouching", lambda *_: left)
    add_context(face, video, tmp_path / "whole.fcv", 4000)
    stream = toy_streams.read((tmp_path / "whole.fcv").read_bytes())
    assert verify(stream) == (FRAMES, [])
    assert shows_face(stream.context_plate) == shown
    canvas = Canvas(stream.header, "source", None, 64, stream.context_plate)
    for item in stream.items(context=True):
        if isinstance(item, ContextPictures):
            canvas.take(item)
        elif isinstance(item, FrameRecord):
            square = np.zeros((64, 64, 3), np.uint8)
            seen = canvas(square, replace(item, placement=None))
            assert (int(seen[60, 96, 0]) - seen[60, 96, 1] > 120) == shown


def test_a_stream_with_one_can_be_given_another(files, tmp_path):
    video, face = files
    add_context(face, video, tmp_path / "once.fcv", 4000)
    add_context(tmp_path / "once.fcv", video, tmp_path / "twice.fcv", "still")
    stream = toy_streams.read((tmp_path / "twice.fcv").read_bytes())
    assert [type(item) for item in stream.items(context=True)] == [FrameRecord] * FRAMES
    assert verify(stream) == (FRAMES, [])


def test_the_command_says_what_it_did(files, tmp_path, capsys):
    video, face = files
    for what in ("still", "4k"):
        with pytest.raises(SystemExit) as ended:
            run(["context", str(face), str(video), str(tmp_path / f"{what}.fcv"), what])
        assert not ended.value.code
        said = capsys.readouterr().err
        assert f"{FRAMES} frames" in said
        assert "of the context" in said
        assert "stand still" not in said
    assert said_of_moving(0.2) is not None
    assert said_of_moving(0.01) is said_of_moving(None) is None


def test_the_wrong_video_is_refused(files, tmp_path, sample):
    video, face = files
    with pytest.raises(UsageError, match="pixels"):
        add_context(face, sample, tmp_path / "out.fcv", "still")
    with ContainerSink(tmp_path / "short.mp4", (WIDTH, HEIGHT), 1 / RATE, RATE, None, {}) as sink:
        for i in range(FRAMES - 5):
            sink.write(room(i), i)
    with pytest.raises(UsageError, match="not the source"):
        add_context(face, tmp_path / "short.mp4", tmp_path / "out.fcv", "still")
    with pytest.raises(UsageError, match="no context"):
        add_context(face, video, tmp_path / "out.fcv", "off")
    assert not (tmp_path / "out.fcv").exists()


def test_an_encoder_whose_plates_differ_gives_segments_key_frames(files, tmp_path, monkeypatch):
    video, face = files
    calls = []

    def unsteady(plate, pictures, quantiser, rate):
        calls.append(len(pictures))
        darker = (plate * (0.99 - 0.01 * (len(calls) % 3))).astype(np.uint8)
        return encode_after(darker if len(pictures) == 5 else plate, pictures, quantiser, rate)

    monkeypatch.setattr(make, "encode_after", unsteady)
    add_context(face, video, tmp_path / "whole.fcv", 4000)
    assert 5 in calls
    assert 4 in calls  # the second segment again: a key frame and four
    frames = laid(toy_streams.read((tmp_path / "whole.fcv").read_bytes()))
    around = np.ones((HEIGHT, WIDTH), bool)
    around[20:105, 50:140] = False
    off = np.abs(frames[-1].astype(int) - room(FRAMES - 1))[around].mean()
    assert off < 6
