"""Time: clips that start late, start again, jump, grow, or end in the middle of a packet."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from facecodec.errors import FacecodecError
from facecodec.video.reader import VideoReader
from tests.helpers.clips import RATE, gradient, tone, write_clip

STEP = Fraction(1, RATE)


def times(path: Path) -> list[Fraction]:
    with VideoReader(path) as reader:
        return [f.pts * reader.time_base for f in reader.frames()]


def recording(path: Path, frames: int, first: int = 0, audio: str | None = "aac") -> bytes:
    write_clip(
        path,
        [gradient(shade=i % 40) for i in range(frames)],
        "mpeg2video",
        audio=audio,
        first=first,
    )
    return path.read_bytes()


@pytest.mark.parametrize("first", [0, 35, 5000])
@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mpg"])
def test_start_and_end_count_from_the_first_frame(tmp_path, first, suffix):
    path = tmp_path / f"late{suffix}"
    audio = "mp2" if suffix == ".mpg" else "aac"
    recording(path, 30, first, audio)
    with VideoReader(path) as reader:
        every = [f.pts for f in reader.frames()]
        part = [f.pts for f in reader.frames(Fraction(2, 5), Fraction(4, 5))]
        sound = [p.pts * reader.audio.time_base for p in reader.audio_packets(end=Fraction(2, 5))]
    assert len(every) == 30
    assert part == every[10:20]
    assert -0.1 < sound[0] - reader.begin < 0.1
    assert 0.3 < sound[-1] - reader.begin < 0.4


@pytest.mark.parametrize("joined", [[(30, 0), (20, 0)], [(20, 100), (20, 3)], [(15, 0)] * 4])
def test_recordings_that_were_joined_follow_each_other(tmp_path, joined):
    data = b"".join(recording(tmp_path / "one.ts", *part) for part in joined)
    path = tmp_path / "joined.ts"
    path.write_bytes(data)
    total = sum(frames for frames, _ in joined)
    shown = times(path)
    assert len(shown) == total
    steps = [b - a for a, b in zip(shown[:-1], shown[1:], strict=True)]
    assert min(steps) > 0 and max(steps) < 0.25
    with VideoReader(path) as reader:
        assert reader.frame_count == total
        sound = [p.pts * reader.audio.time_base for p in reader.audio_packets()]
    assert sound == sorted(sound)
    assert abs(float(sound[-1] - shown[-1])) < 0.3


def test_a_clock_that_leaps_does_not_leave_a_hole(tmp_path):
    data = recording(tmp_path / "one.ts", 20, 10) + recording(tmp_path / "two.ts", 20, 100_000)
    (tmp_path / "leap.ts").write_bytes(data)
    shown = times(tmp_path / "leap.ts")
    assert len(shown) == 40 and shown[-1] - shown[0] < 2.5


def test_a_pause_that_is_meant_stays(tmp_path):
    stamps = [0, 1, 2, 1000, 1001]
    path = write_clip(tmp_path / "pause.mkv", [gradient()] * 5, stamps=stamps)
    assert times(path)[3] == 40


def test_sound_and_picture_of_each_part_keep_in_step(tmp_path):
    """The second part's sound begins half a second before its picture, as it did on its own."""
    one = recording(tmp_path / "one.ts", 25, audio="mp2")
    late = [gradient(shade=i) for i in range(25)]
    with av.open(str(tmp_path / "two.ts"), "w") as out:
        video, sound = out.add_stream("mpeg2video", rate=RATE), out.add_stream("mp2", rate=44100)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for frame in tone(1.5):
            out.mux(sound.encode(frame))
        for i, picture in enumerate(late):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = i + 13, STEP
            out.mux(video.encode(frame))
        out.mux(sound.encode(None) + video.encode(None))
    (tmp_path / "both.ts").write_bytes(one + (tmp_path / "two.ts").read_bytes())
    with VideoReader(tmp_path / "both.ts") as reader:
        shown = [f.pts * reader.time_base for f in reader.frames()]
        sound = [p.pts * reader.audio.time_base for p in reader.audio_packets()]
    assert len(shown) == 50
    with VideoReader(tmp_path / "one.ts") as reader:
        first = sum(1 for _ in reader.audio_packets())
    assert float(shown[25] - sound[first]) == pytest.approx(0.52, abs=0.06)


def test_what_an_edit_list_cut_away_is_not_read(tmp_path):
    """Twenty frames and their sound before the beginning, as trimming leaves them."""
    path = write_clip(
        tmp_path / "trimmed.mp4", [gradient(shade=i) for i in range(40)], audio="aac", first=-20,
        options={"bf": "0"},
    )  # fmt: skip
    with VideoReader(path) as reader:
        shown = [f.pts * reader.time_base for f in reader.frames()]
        sound = [(p.pts + p.duration) * reader.audio.time_base for p in reader.audio_packets()]
    assert reader.begin == shown[0] == 0
    assert len(shown) == 20
    assert sound and min(sound) > 0


def test_an_encoders_priming_is_kept(sample):
    with VideoReader(sample) as reader:
        first = next(reader.audio_packets())
    assert first.pts == -1024


def test_no_sound_is_left_of_what_was_cut_away(faults):
    with VideoReader(faults / "avedit.mp4") as reader:
        assert reader.audio is None and list(reader.audio_packets()) == []
        assert reader.begin == 0 and sum(1 for _ in reader.frames()) == 33


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".flv"])
def test_a_file_that_grows_is_read_as_long_as_it_was(tmp_path, suffix):
    codec = "flv" if suffix == ".flv" else "mpeg2video"
    path = write_clip(tmp_path / f"live{suffix}", [gradient(shade=i) for i in range(40)], codec)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with VideoReader(path) as reader:
        before = [f.pts for f in reader.frames()]
        path.write_bytes(whole)
        assert [f.pts for f in reader.frames()] == before
    assert 5 < len(before) < 35 and len(times(path)) == 40


def test_a_file_that_is_replaced_or_cut_short_meanwhile_is_one_line(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [gradient(shade=i) for i in range(40)], "mpeg2video")
    other = write_clip(tmp_path / "b.mkv", [gradient(shade=i) for i in range(50)], "mpeg2video")
    with VideoReader(path) as reader:
        assert len(list(reader.frames())) == 40
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(FacecodecError, match=r"a\.mkv: was replaced or cut short"):
            list(reader.frames())
    with VideoReader(other) as reader:
        path.replace(other)
        with pytest.raises(FacecodecError, match=r"b\.mkv: was replaced or cut short"):
            list(reader.frames())


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4", ".webm"])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
def test_a_broken_end_costs_no_frame_before_it(tmp_path, suffix, share):
    """Whatever is left is decoded one packet after the other, on any number of cores."""
    mux = {"movflags": "frag_keyframe+empty_moov+default_base_moof"} if suffix == ".mp4" else {}
    codec = "libvpx" if suffix == ".webm" else "libx264"
    pictures = [gradient((160, 120), shade=2 * i) for i in range(30)]
    options = {"g": "5"} if codec == "libx264" else {}
    path = write_clip(tmp_path / f"cut{suffix}", pictures, codec, options=options, mux=mux)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        wanted = 0
        packets = container.demux(stream)
        while True:
            try:
                wanted += len(next(packets).decode())
            except StopIteration:
                break
            except av.FFmpegError:
                continue
    assert len(times(path)) == wanted > 0


@pytest.mark.parametrize(("name", "frames"), [("d_last.mkv", 23), ("fragcut.mp4", 5)])
def test_real_broken_ends(faults, name, frames):
    assert len(times(faults / name)) == frames


def test_real_restarts_and_late_starts(faults):
    assert len(times(faults / "avreset.ts")) == 120
    with VideoReader(faults / "av.ts") as reader:
        part = list(reader.frames(Fraction(1, 2), Fraction(3, 2)))
    assert len(part) == 30


def test_nothing_but_broken_packets_is_one_line(tmp_path):
    whole = write_clip(tmp_path / "whole.mkv", [gradient()] * 3, "ffv1")
    with av.open(str(whole)) as source, av.open(str(tmp_path / "x.mkv"), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for i in range(3):
            packet = av.Packet(bytes([255]) * 50)
            packet.pts = packet.dts = i
            packet.time_base, packet.stream = STEP, stream
            out.mux(packet)
    with pytest.raises(FacecodecError, match=r"x.mkv: holds no picture that can be decoded \("):
        VideoReader(tmp_path / "x.mkv")


@pytest.mark.parametrize("bf", [0, 1, 3])
@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4", ".ts"])
def test_frames_that_were_coded_out_of_order_come_in_order(tmp_path, suffix, bf):
    """AVI has no times for showing; each frame of it once took that of another."""
    pictures = [gradient((160, 120), shade=2 * i) for i in range(20)]
    options = {"bf": str(bf), "g": "10", "crf": "10"}
    path = write_clip(tmp_path / f"x{suffix}", pictures, options=options)
    with VideoReader(path) as reader:
        frames = list(reader.frames())
        shown = [f.pts * reader.time_base - reader.begin for f in frames]
        assert reader.rate == RATE
    assert [float(t) for t in shown] == pytest.approx([i / RATE for i in range(20)], abs=0.002)
    shades = [float(f.image.mean()) for f in frames]
    assert shades == sorted(shades)
