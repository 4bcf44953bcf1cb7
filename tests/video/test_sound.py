"""Sound: every codec that is carried comes out of every container, in step, and can be heard."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from unittest import mock

import av
import numpy as np
import pytest

from facecodec.bitstream.audio import AudioParameters
from facecodec.errors import FacecodecError
from facecodec.video.audio import CODECS
from facecodec.video.coding import Writing
from facecodec.video.container_sink import KINDS
from facecodec.video.reader import VideoReader
from facecodec.video.writer import open_sink
from tests.helpers.clips import RATE, SIZE, gradient, write_clip

FRAMES = 30
ENCODERS = {"mp3": "libmp3lame", "opus": "libopus"}
RATES = {"opus": 48000}
HEARD = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".webm": "opus"}  # what others become


def source(folder: Path, codec: str, suffix: str = ".mkv", first: int = 0) -> Path:
    return write_clip(
        folder / f"source{suffix}", [gradient(shade=i) for i in range(FRAMES)],
        audio=ENCODERS.get(codec, codec), rate=RATES.get(codec, 44100), layout="stereo",
        first=first,
    )  # fmt: skip


def copied(path: Path, out: Path, keep_times: bool = False) -> str | None:
    """Write pictures and the sound of a clip again; return the codec that it was coded into."""
    with (
        VideoReader(path) as reader,
        open_sink(
            str(out),
            SIZE,
            reader.time_base,
            Fraction(RATE),
            reader.audio,
            None,
            Writing(keep_times),
        ) as sink,
    ):
        assert reader.audio is not None and sink.takes_audio
        packets = list(reader.audio_packets())
        for frame in reader.frames():
            while (
                packets and packets[0].pts * reader.audio.time_base <= frame.pts * reader.time_base
            ):
                sink.write_audio(packets.pop(0))
            sink.write(frame.image, frame.pts)
        for packet in packets:
            sink.write_audio(packet)
        return sink.recoded


def heard(path: Path) -> tuple[str, np.ndarray, float]:
    """The codec of a file's sound, its samples [N] at 44100 Hz, and when it begins."""
    with av.open(str(path)) as container:
        assert len(container.streams) == 2
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("flt", "mono", 44100)
        parts, begin = [], None
        for frame in container.decode(audio=0):
            begin = float(frame.pts * frame.time_base) if begin is None else begin
            frame.pts = None
            parts += [f.to_ndarray()[0] for f in resampler.resample(frame)]
        return stream.codec_context.codec.canonical_name, np.concatenate(parts), begin


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_heard_in_every_container(tmp_path, codec, suffix):
    recoded = copied(source(tmp_path, codec), tmp_path / f"out{suffix}")
    name, samples, begin = heard(tmp_path / f"out{suffix}")
    taken = codec in KINDS[suffix].taken
    same = ("mp2", "mp3") if codec == "mp2" else (codec,)  # MP4 has one name for both
    assert name in (same if taken else (HEARD[suffix],))
    assert recoded == (None if taken else name)
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert abs(np.argmax(spectrum) * 44100 / len(middle) - 440) < 3
    assert 0.1 < middle.std() < 0.25  # a sine of 8000 of 32768: .173
    assert len(samples) / 44100 == pytest.approx(FRAMES / RATE, abs=0.12)
    assert begin == pytest.approx(0, abs=0.06)
    with VideoReader(tmp_path / f"out{suffix}") as reader:
        assert reader.begin == 0  # although sound that gets a decoder going comes before it


def test_sound_is_in_step_where_the_sound_before_it_is_cut_off(tmp_path):
    """The same wave at the same time, to a thousandth of a second, copied and coded again."""
    clip = source(tmp_path, "aac", ".mp4")
    for suffix in KINDS:
        copied(clip, tmp_path / f"out{suffix}")
        _, samples, begin = heard(tmp_path / f"out{suffix}")
        times = begin + np.arange(len(samples)) / 44100
        wave = np.exp(-2j * np.pi * 440 * times) @ (samples * (times > 0.2) * (times < 0.9))
        late = (np.angle(wave) + np.pi / 2) / (2 * np.pi * 440)
        assert abs(late) < 0.001, suffix


@pytest.mark.parametrize("suffix", KINDS)
def test_sound_with_a_gap_stays_in_step(tmp_path, suffix):
    """A recording that was stopped: the tone is silent for 0.4 s and goes on when it is due."""
    clip = source(tmp_path, "aac", ".mp4")
    with VideoReader(clip) as reader:
        packets = [p for p in reader.audio_packets() if not 0.4 < p.pts / 44100 < 0.8]
        with mock.patch.object(VideoReader, "audio_packets", lambda *_: iter(packets)):
            copied(clip, tmp_path / f"out{suffix}")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        loud = [
            float(frame.time) for frame in container.decode(audio=0)
            if np.abs(frame.to_ndarray()).max() > 0.1
        ]  # fmt: skip
    assert max(np.diff(loud)) == pytest.approx(0.4, abs=0.05)
    assert loud[-1] == pytest.approx(FRAMES / RATE, abs=0.06)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("aac", ".ts"), ("mp2", ".ts"), ("mp3", ".ts"), ("ac3", ".ts"), ("eac3", ".ts"),
     ("opus", ".ts"), ("alac", ".mp4"), ("flac", ".mp4"), ("alac", ".mov"), ("aac", ".mov")],
)  # fmt: skip
@pytest.mark.parametrize("out", [".mkv", ".mp4"])
def test_sound_out_of_other_containers(tmp_path, codec, suffix, out):
    """Transport streams head each packet; MP4 keeps the setup bytes in its own way."""
    clip = source(tmp_path, codec, suffix, 50)
    copied(clip, tmp_path / f"out{out}")
    _, samples, begin = heard(tmp_path / f"out{out}")
    assert begin == pytest.approx(0, abs=0.1)
    assert 0.1 < samples[4000:-8000].std() < 0.25


@pytest.mark.parametrize("suffix", KINDS)
def test_files_begin_at_zero_or_when_asked_keep_their_times(tmp_path, suffix):
    clip = source(tmp_path, "opus", ".mkv", first=100)
    for keep in (False, True):
        path = tmp_path / f"{keep}{suffix}"
        copied(clip, path, keep)
        with VideoReader(path) as reader:
            assert float(reader.begin) == pytest.approx(4.0 if keep else 0.0, abs=0.002)
            sound = next(reader.audio_packets()).pts * reader.audio.time_base
        assert float(sound - reader.begin) == pytest.approx(0, abs=0.06)


@pytest.mark.parametrize("codec", ["pcm_s16le", "adpcm_ms", "wavpack"])
def test_sound_that_cannot_be_carried_is_named_when_the_file_is_opened(tmp_path, codec):
    suffix = {"adpcm_ms": ".avi", "wavpack": ".mkv"}.get(codec, ".mov")
    path = write_clip(tmp_path / f"x{suffix}", [gradient()] * 5, "mpeg4", audio=codec)
    with VideoReader(path) as reader:
        assert reader.audio is None and reader.audio_dropped == codec


def test_a_track_without_a_packet_is_no_sound(tmp_path):
    with av.open(str(tmp_path / "x.mkv"), "w") as out:
        video, _ = out.add_stream("libx264", rate=25), out.add_stream("flac", rate=44100)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        frame = av.VideoFrame.from_ndarray(gradient(), format="rgb24").reformat(format="yuv420p")
        out.mux(video.encode(frame) + video.encode(None))
    assert VideoReader(tmp_path / "x.mkv").audio is None


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize(
    "base",
    [Fraction(1, 1 << 33), Fraction(1, 2**31 - 1), Fraction(1 << 33, 1), Fraction(1001, 24000)],
)
def test_odd_clocks_are_written_or_refused_in_one_line(tmp_path, suffix, base):
    path = tmp_path / f"x{suffix}"
    try:
        with open_sink(str(path), SIZE, base, Fraction(1 << 40, 3)) as sink:
            for i in range(3):
                sink.write(gradient(), i)
    except FacecodecError as error:
        assert str(error).startswith(f"{path}: cannot be written") and ".part" not in str(error)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("codec", CODECS)
def test_hostile_parameters_and_packets_are_one_line(tmp_path, codec, suffix):
    noise = np.random.default_rng(3)
    path = tmp_path / f"x{suffix}"
    for extradata in (b"", b"\0", noise.bytes(40), b"alac" * 20):
        track = AudioParameters(codec, 44100, 2, extradata, Fraction(1, 44100))
        try:
            with open_sink(str(path), SIZE, Fraction(1, 25), None, track) as sink:
                for i in range(3):
                    sink.write(gradient(), i)
                    sink.write_audio(_Packet(1024 * i, noise.bytes(100)))
        except FacecodecError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


class _Packet:
    def __init__(self, pts: int, data: bytes) -> None:
        self.pts = self.dts = pts
        self.duration, self.data = 1024, data


@pytest.mark.parametrize("suffix", KINDS)
def test_a_full_disk_is_noticed_at_the_first_frame(tmp_path, monkeypatch, suffix):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("facecodec.video.container_sink.shutil.disk_usage", lambda _: usage)
    with (
        pytest.raises(FacecodecError, match="no space left"),
        open_sink(str(tmp_path / f"x{suffix}"), SIZE, Fraction(1, 25), None) as sink,
    ):
        sink.write(gradient(), 0)
    assert list(tmp_path.iterdir()) == []


def test_y4m_holds_the_colours_that_its_readers_assume(tmp_path):
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[:, :32], colours[:, 32:] = (200, 40, 60), (40, 180, 90)
    with open_sink(str(tmp_path / "x.y4m"), SIZE, Fraction(1, 25), None) as sink:
        sink.write(colours, 0)
    with VideoReader(tmp_path / "x.y4m") as reader:
        shown = next(reader.frames()).image
    assert np.abs(shown[:, 4:28].astype(int) - colours[:, 4:28]).max() <= 3
    assert np.abs(shown[:, 36:60].astype(int) - colours[:, 36:60]).max() <= 3


@pytest.mark.parametrize("suffix", [*KINDS, ".y4m"])
def test_a_file_that_may_not_grow_is_noticed_soon(tmp_path, suffix):
    """Under a limit of the system: nothing is held back until the end, nothing is left behind."""
    program = (
        "import resource, sys; from fractions import Fraction; import numpy as np\n"
        "from facecodec.errors import FacecodecError\n"
        "from facecodec.video.writer import open_sink\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "noise = np.random.default_rng(0).integers(0, 256, (20, 128, 128, 3), np.uint8)\n"
        "try:\n"
        "    with open_sink(sys.argv[1], (128, 128), Fraction(1, 25), Fraction(25)) as sink:\n"
        "        for i in range(150):\n"
        "            sink.write(noise[i % 20], i)\n"
        "except FacecodecError as error:\n"
        "    print(i, error)\n"
    )
    path = tmp_path / f"x{suffix}"
    run = [sys.executable, "-c", program, str(path)]
    said = subprocess.run(run, check=True, capture_output=True, text=True, timeout=120).stdout
    frame, message = said.split(" ", 1)
    assert int(frame) < 110
    assert message.startswith(f"{path}: cannot be written (") and list(tmp_path.iterdir()) == []
