"""The sample through encode, decode and puppet, by the commands and from Python."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import facecodec
from facecodec.avatar.avatar import Avatar
from facecodec.bitstream import StreamReader, StreamWriter
from facecodec.bitstream.coding.full_tuning import FULL_KIND, parse_full
from facecodec.bitstream.coding.light_tuning import LIGHT_KIND
from facecodec.bitstream.coding.tuning import kind_of
from facecodec.cli.main import main, run
from facecodec.errors import NoFaceError, UsageError
from facecodec.fit.weight_tuning import tensor_sizes
from facecodec.models import FaceModel
from facecodec.puppetry.retarget import limited
from facecodec.video.reader import VideoReader
from facecodec.video.writer import encode_png, open_sink
from tests.helpers.presets import TINY, fast_is

FRAMES = 4
pytestmark = pytest.mark.usefixtures("tiny_fits")


@pytest.fixture(scope="module")
def stream(tmp_path_factory, generator, rig, finder, sample) -> Path:
    """Four frames of the sample, encoded once."""
    path = tmp_path_factory.mktemp("stream") / "four.fcv"
    with fast_is(TINY):
        summary = facecodec.encode(sample, path, preset="fast", max_frames=FRAMES)
    assert summary.frames == FRAMES and summary.no_face == 0
    assert summary.bytes == path.stat().st_size
    assert summary.audio
    return path


def command(*arguments: object) -> tuple[int, str]:
    """Run as the shell would; return the exit code and what was printed."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.stdout


def seen(path: Path) -> tuple[list[Fraction], np.ndarray]:
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        return [f.pts * reader.time_base for f in frames], np.stack([f.image for f in frames])


def test_decode_keeps_times_and_audio(tmp_path, stream, sample):
    out = tmp_path / "back.mp4"
    summary = facecodec.decode(stream, out, size=256)
    assert summary.frames == FRAMES and summary.damage == []
    times, pictures = seen(out)
    assert pictures.shape == (FRAMES, 256, 256, 3)
    assert times == seen(sample)[0][:FRAMES]
    with VideoReader(out) as after, VideoReader(sample) as before:
        copied = [p.data for p in after.audio_packets()]
        assert copied and copied == [p.data for p in before.audio_packets()][: len(copied)]
        assert after.rate == 25


@pytest.fixture(scope="module")
def whole(tmp_path_factory, stream, sample) -> Path:
    """The same with the rest of the frame."""
    path = tmp_path_factory.mktemp("whole") / "whole.fcv"
    facecodec.add_context(stream, sample, path, 100_000)
    return path


def test_the_frame_comes_back_where_a_stream_has_a_context(tmp_path, whole, sample):
    summary = facecodec.decode(whole, tmp_path / "back.mp4", size=256)
    assert summary.frames == FRAMES and summary.damage == []
    pictures, frames = seen(tmp_path / "back.mp4")[1], seen(sample)[1][:FRAMES]
    assert pictures.shape == frames.shape
    for corner in (np.s_[:, :60, :60], np.s_[:, :60, -60:]):  # where nobody is
        assert abs(pictures[corner].astype(int) - frames[corner]).mean() < 8
    code, _ = command("decode", whole, tmp_path / "face.mp4", "--canvas", "face", "--size", 256)
    assert code == 0
    assert seen(tmp_path / "face.mp4")[1].shape == (FRAMES, 256, 256, 3)


def test_other_rates_and_kinds_of_output(tmp_path, whole):
    for name, options, count in (
        ("more.mp4", ["--fps", "50"], 2 * FRAMES),
        ("deep.mkv", ["--codec", "x265", "--bits", "10", "--crf", "30"], FRAMES),
    ):
        code, _ = command("decode", whole, tmp_path / name, "--size", 256, *options)
        assert code == 0
        assert len(seen(tmp_path / name)[1]) == count
    code, _ = command("decode", whole, tmp_path / "one.jpg", "--size", 256, "--start", "0.08")
    assert code == 0
    with VideoReader(tmp_path / "one.jpg") as reader:
        assert (reader.width, reader.height) == (640, 480)
    with pytest.raises(UsageError, match="x264 is written to"):
        facecodec.decode(whole, tmp_path / "x.webm", codec="x264")


@pytest.mark.slow
def test_a_context_changes_nothing_else(tmp_path, sample, stream):
    done = facecodec.encode(sample, tmp_path / "w.fcv", preset="fast", max_frames=FRAMES,
                            context="still")  # fmt: skip
    assert done.context_bytes > 0 and done.context_moving is not None
    with stream.open("rb") as file, (tmp_path / "w.fcv").open("rb") as other:
        plain, around = StreamReader(file), StreamReader(other)
        assert around.context_plate is not None and plain.context_plate is None
        rows = [[frame.controls.tobytes() for frame in one] for one in (plain, around)]
        assert rows[0] == rows[1]


def test_decode_down_a_pipe_with_the_sound(stream, sample, capfdbinary):
    """What `facecodec decode four.fcv - --format matroska | ffplay -` reads."""
    summary = facecodec.decode(stream, "-", size=256, format="matroska")
    assert summary.audio and summary.frames == FRAMES
    with av.open(io.BytesIO(capfdbinary.readouterr().out)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.colorspace == 1
    assert np.shape(pictures) == (FRAMES, 256, 256, 3)
    drawn = facecodec.open(stream).render(0, 256)
    assert np.abs(drawn.astype(int) - pictures[0]).mean() < 2
    with pytest.raises(UsageError, match="format"):
        facecodec.decode(stream, "back.mp4", format="matroska")


def test_decode_through_the_command(tmp_path, stream):
    code, text = command("decode", stream, tmp_path / "p%02d.png", "--size", 256, "--json",
                         "--max-frames", 2)  # fmt: skip
    assert code == 0 and json.loads(text)["frames"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p01.png", "p02.png"]


def test_decode_back_into_the_source_frame(tmp_path, stream, sample):
    facecodec.decode(stream, tmp_path / "c.mp4", size=512, canvas="source", max_frames=1)
    assert seen(tmp_path / "c.mp4")[1].shape[1:3] == seen(sample)[1].shape[1:3]


def test_a_span_of_a_stream(tmp_path, stream):
    facecodec.decode(stream, tmp_path / "s.mp4", size=256, start=Fraction(1, 25),
                     end=Fraction(3, 25))  # fmt: skip
    assert len(seen(tmp_path / "s.mp4")[0]) == 2


@pytest.mark.parametrize("name", ["o.y4m", "o.mp4", "o.mkv", "o.mov", "o.webm", "o%d.png"])
def test_a_decode_past_the_end_keeps_the_old_file(name, tmp_path, stream):
    old = tmp_path / name.replace("%d", "1")
    old.write_text("precious")
    with pytest.raises(UsageError, match="no frame between the start and end"):
        facecodec.decode(stream, tmp_path / name, size=256, start=Fraction(99), force=True)
    assert [path.name for path in tmp_path.iterdir()] == [old.name]
    assert old.read_text() == "precious"


def test_open_stream(stream):
    frames = list(facecodec.open_stream(stream))
    assert len(frames) == FRAMES
    assert all(f.controls.shape == (35,) and np.isfinite(f.controls).all() for f in frames)


def test_the_same_bytes_twice(tmp_path, stream, sample):
    code, _ = command("encode", sample, tmp_path / "again.fcv", "--preset", "fast",
                      "--max-frames", FRAMES)  # fmt: skip
    assert code == 0
    assert (tmp_path / "again.fcv").read_bytes() == stream.read_bytes()
    for name in ("a%d.png", "b%d.png"):
        facecodec.decode(stream, tmp_path / name, size=256, max_frames=1)
    assert (tmp_path / "a1.png").read_bytes() == (tmp_path / "b1.png").read_bytes()


def test_tuning_rides_in_the_stream(tmp_path, sample, stream, generator):
    told = []
    facecodec.encode(sample, tmp_path / "t.fcv", preset="fast", max_frames=2, tune="full",
                     progress=lambda *what: told.append(what))  # fmt: skip
    # landmarks lead the pose: its derivative, then every frame
    assert ("reading the decoded face", 8, 8) in told and ("reading the decoded face", 2, 2) in told
    _, text = command("info", tmp_path / "t.fcv", "--json", "--rates")
    assert json.loads(text)["tuning_bytes"] > 0
    with (tmp_path / "t.fcv").open("rb") as file:
        tuning = StreamReader(file).tuning
    assert kind_of(tuning) == FULL_KIND
    assert kind_of(parse_full(tuning, sum(tensor_sizes(generator))).light) == LIGHT_KIND
    facecodec.decode(tmp_path / "t.fcv", tmp_path / "t.mp4", size=256)
    assert len(seen(tmp_path / "t.mp4")[0]) == 2


def test_puppet_from_streams(tmp_path, stream):
    told = []
    facecodec.puppet(stream, stream, tmp_path / "p.fcv",
                     progress=lambda *what: told.append(what))  # fmt: skip
    assert len(list(facecodec.open_stream(tmp_path / "p.fcv"))) == FRAMES
    facecodec.puppet(stream, stream, tmp_path / "p.mp4", size=256, max_frames=2, retarget=False)
    assert len(seen(tmp_path / "p.mp4")[0]) == 2


def test_a_puppet_goes_no_farther_than_faces_do(tmp_path, stream):
    """Controls of ten standard deviations, which explain a pixel of one face, tear another's."""
    far = tmp_path / "far.fcv"
    header = facecodec.open_stream(stream).header
    frames = list(facecodec.open_stream(stream))
    with far.open("wb") as file, StreamWriter(file, header) as writer:
        writer.write_identity_payload(facecodec.open_stream(stream).identity_payload)
        for i, frame in enumerate(frames):
            wild = np.full(35, 12.0 * i, np.float32)
            writer.write_frame(frame.pts, wild, frame.placement, frame.flags)
    facecodec.puppet(stream, far, tmp_path / "p.fcv", retarget=False)
    moved = np.array([frame.controls for frame in facecodec.open_stream(tmp_path / "p.fcv")])
    assert np.abs(moved).max() < 5.5
    small = np.linspace(-1, 1, 35, dtype=np.float32)
    assert limited(small) == pytest.approx(small, abs=0.08)


def test_a_puppet_does_what_its_driver_does(tmp_path, stream, generator, rig):
    """Controls copied to another face do another thing; this face is looked at."""
    header = facecodec.open_stream(stream).header
    driven = facecodec.open_stream(stream)
    driver, source = tmp_path / "driver.fcv", tmp_path / "source.fcv"
    identity = driven.identity(generator.w_mean.numpy())
    other = generator.mapping(torch.randn(1, 512, generator=torch.Generator().manual_seed(3)))
    latent = other.expand(generator.num_ws, -1).numpy()
    controls = np.zeros((FRAMES, 35), np.float32)
    mouth = [i for i, region in enumerate(rig.regions) if region in ("mouth", "jaw")]
    grimace = np.random.default_rng(0).normal(0, 3, len(mouth))
    controls[:, mouth] = np.linspace(0, 1, FRAMES)[:, None] * grimace
    for path, person in ((driver, identity), (source, latent)):
        with path.open("wb") as file, StreamWriter(file, header) as writer:
            writer.write_identity(person, generator.w_mean.numpy())
            for frame, row in zip(driven, controls, strict=True):
                writer.write_frame(frame.pts, row, frame.placement, frame.flags)
    model = FaceModel(generator, rig)
    wanted, rest = (Avatar(model, who).face_reader() for who in (identity, latent))
    zero = np.zeros((1, 35))
    made = []
    for retarget in (False, True):
        done = facecodec.puppet(
            source, driver, tmp_path / "p.fcv", retarget=retarget, audio=False, force=True
        )
        assert done.retargeted == retarget
        frames = facecodec.open_stream(tmp_path / "p.fcv")
        made.append(np.array([frame.controls for frame in frames], float))
    driven_features = wanted(controls.astype(float))
    goal = driven_features - driven_features[done.rest_frame] + rest(zero)
    apart = [np.linalg.norm(rest(rows) - goal, axis=1)[1:].mean() for rows in made]
    assert apart[1] < 0.7 * apart[0]


def test_a_puppet_says_that_it_is_one(tmp_path, stream):
    """Its stream, its video, and what its stream decodes to."""
    one = {"max_frames": 1, "retarget": False}
    facecodec.puppet(stream, stream, tmp_path / "p.fcv", **one)
    assert "synthetic" in command("info", tmp_path / "p.fcv")[1]
    facecodec.puppet(stream, stream, tmp_path / "p.webm", size=128, **one)
    facecodec.decode(tmp_path / "p.fcv", tmp_path / "d.mp4", size=128)
    for name in ("p.webm", "d.mp4"):
        with av.open(str(tmp_path / name)) as container:
            assert "synthetic" in " ".join(container.metadata.values())


def test_puppet_of_a_picture(tmp_path, stream, sample):
    (tmp_path / "who.png").write_bytes(encode_png(seen(sample)[1][0]))
    code, _ = command("puppet", "--source", tmp_path / "who.png", "--driver", stream,
                      "--no-retarget", "--preset", "fast", "--size", 256,
                      tmp_path / "p.mp4")  # fmt: skip
    assert code == 0
    pictures = seen(tmp_path / "p.mp4")[1]
    assert len(pictures) == FRAMES
    height, width = pictures.shape[1:3]
    assert width / height == pytest.approx(4 / 3, abs=0.01)  # in the frame of the picture


def test_no_face_is_one_clear_error(tmp_path, generator, finder):
    clip = tmp_path / "wall.mp4"
    with open_sink(str(clip), (320, 240), Fraction(1, 25), Fraction(25)) as sink:
        for i in range(3):
            sink.write(np.full((240, 320, 3), 120, np.uint8), i)
    with pytest.raises(NoFaceError):
        facecodec.encode(clip, tmp_path / "out.fcv")
    assert [p.name for p in tmp_path.iterdir()] == ["wall.mp4"]


def exit_code(capsys, *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        run([str(a) for a in arguments])
    return int(stop.value.code or 0), capsys.readouterr().err


def test_outputs_in_the_way_are_refused(tmp_path, stream, sample, capsys):
    there = tmp_path / "there.mp4"
    there.write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        facecodec.decode(stream, there)
    code, error = exit_code(capsys, "decode", stream, there)
    assert code == 2 and "-f overwrites" in error and error.count("\n") == 1
    (tmp_path / "there.fcv").write_text("precious")
    assert exit_code(capsys, "encode", sample, tmp_path / "there.fcv")[0] == 2
    assert there.read_text() == "precious"
    facecodec.decode(stream, there, size=256, max_frames=1, force=True)
    assert len(seen(there)[0]) == 1


def test_exit_codes(tmp_path, capsys):
    assert exit_code(capsys, "--version")[0] == 0
    assert exit_code(capsys, "--help")[0] == 0
    assert exit_code(capsys, "nonsense")[0] == 2
    assert exit_code(capsys, "decode", tmp_path / "none.fcv", tmp_path / "x.mp4")[0] == 2
    (tmp_path / "junk.fcv").write_bytes(b"no stream at all")
    code, error = exit_code(capsys, "decode", tmp_path / "junk.fcv", tmp_path / "x.mp4")
    assert code == 1 and error.startswith("facecodec: ") and error.count("\n") == 1
    assert not (tmp_path / "x.mp4").exists()


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ctrl_c_leaves_nothing(tmp_path, generator, finder, sample):
    log = tmp_path.with_name(tmp_path.name + ".log")
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "facecodec", "encode", str(sample), str(tmp_path / "x.fcv")],
            stderr=file, stdout=file, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        while processor_seconds(process.pid) < 3:  # long before the end
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in log.read_text()
