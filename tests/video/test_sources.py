"""What a file is opened as: its own content alone, and the tracks that ffmpeg would take."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from facecodec.cli.main import main
from facecodec.errors import FacecodecError, NoFaceError, UsageError
from facecodec.video.raw import RawPictures
from facecodec.video.reader import VideoReader
from facecodec.video.series import SeriesReader, is_series
from facecodec.video.source import reason
from tests.helpers.clips import SIZE, gradient, level_error, read_picture, tone, write_clip
from tests.helpers.commands import run

LISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
    "list.mp4": "ffconcat version 1.0\nfile '{other}'\n",
    "list.mpd": "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>{other}</BaseURL></MPD>",
    "list.sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 5004 RTP/AVP 96\r\n",
    "drawing.svg": "<svg xmlns='http://www.w3.org/2000/svg'><image href='{other}'/></svg>",
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_comes_through_a_pipe(tmp_path, monkeypatch, suffix):
    """An index at the end too: what comes is copied, and the copy is removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    clip = write_clip(tmp_path / f"x{suffix}", [gradient(shade=9 * i) for i in range(4)])
    with clip.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
        reader = VideoReader(Path("-"))
    assert str(reader.path) == "standard input" and len(list(reader.frames())) == 4
    assert level_error(next(reader.frames()).image, gradient()) < 4
    del reader
    assert list(tmp_path.iterdir()) == [clip]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"nothing")))
    with pytest.raises(FacecodecError, match="standard input: not a video"):
        VideoReader(Path("-"))


def test_numbered_pictures_are_a_video(tmp_path):
    for i in range(3):
        Image.fromarray(gradient(shade=9 * i)).save(tmp_path / f"p{i:02}.png")
    Image.fromarray(gradient((128, 96), 27)).save(tmp_path / "p03.png")
    Image.fromarray(gradient()).save(tmp_path / "p05.png")  # after one that is missing
    assert is_series(tmp_path / "p%02d.png") and not is_series(tmp_path / "p01.png")
    reader = SeriesReader(tmp_path / "p%02d.png", Fraction(10))
    frames = list(reader.frames())
    assert [frame.pts * reader.time_base for frame in frames] == [Fraction(i, 10) for i in range(4)]
    assert reader.frame_count == 4 and (reader.width, reader.height) == SIZE
    assert level_error(frames[2].image, gradient(shade=18)) == 0
    assert level_error(frames[3].image, gradient(shade=27)) < 3  # brought to the first one's size
    some = reader.frames(Fraction(1, 10), Fraction(3, 10))
    assert [frame.pts for frame in some] == [1, 2]
    with pytest.raises(UsageError, match=r"q00\.png nor q01\.png"):
        SeriesReader(tmp_path / "q%02d.png", Fraction(25))


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_files_is_not_followed(tmp_path, name):
    other = write_clip(tmp_path / "other.mp4", [gradient()] * 2)
    path = tmp_path / name
    path.write_text(LISTS[name].format(other=other))
    with pytest.raises(FacecodecError) as error:
        VideoReader(path)
    message = str(error.value)
    assert message.startswith(f"{path}: is a ") and "\n" not in message and "Errno" not in message


@pytest.mark.parametrize(
    "name", ["http:x", "file:x", "concat:a|b", "pat%03d", "-dash", "a:b", "é ü"]
)
@pytest.mark.parametrize("suffix", [".mp4", ".png"])
def test_a_name_is_a_name_whatever_is_in_it(tmp_path, monkeypatch, name, suffix):
    monkeypatch.chdir(tmp_path)
    path = Path(name + suffix)
    if suffix == ".png":
        Image.fromarray(gradient()).save(path)
        Image.fromarray(gradient(shade=30)).save("pat001.png")
    else:
        made = write_clip(tmp_path / "made.mp4", [gradient()] * 2)
        made.rename(tmp_path / path)
    assert level_error(read_picture(path), gradient()) < 3


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")  # opening it would wait for a writer
    (tmp_path / "empty.mp4").touch()
    for name, why in [("pipe.mp4", "regular"), (".", "folder"), ("a\0b", "no such file")]:
        with pytest.raises(UsageError, match=why):
            VideoReader(tmp_path / name)
    with pytest.raises(FacecodecError, match="empty"):
        VideoReader(tmp_path / "empty.mp4")


@pytest.mark.parametrize(("magic", "kind"), [(b"\x89FCV", "stream"), (b"\x89FCI", "identity")])
def test_the_projects_own_files_are_recognised(tmp_path, magic, kind):
    (tmp_path / "x.mp4").write_bytes(magic + bytes(100))
    with pytest.raises(UsageError, match=kind):
        VideoReader(tmp_path / "x.mp4")


def test_an_encoded_stream_is_recognised():
    vector = Path(__file__).parents[1] / "vectors" / "streams" / "rough.fcv"
    with pytest.raises(UsageError, match="is a facecodec stream already"):
        VideoReader(vector)


@pytest.mark.parametrize("codec", ["mpeg4", "msmpeg4v3", "wmv2", "flv", "mpeg1video",
                                   "ffv1", "huffyuv", "dvvideo", "prores_ks", "libvpx-vp9", "gif",
                                   "mjpeg", "libsvtav1", "libx265"])  # fmt: skip
def test_codecs_of_all_ages_are_read(tmp_path, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"this libav has no {codec}")
    suffix = {
        "dvvideo": ".avi",
        "huffyuv": ".avi",
        "flv": ".flv",
        "wmv2": ".asf",
        "gif": ".gif",
    }.get(codec, ".mkv")
    formats = {"prores_ks": "yuv422p10le", "gif": "rgb8", "mjpeg": "yuvj420p", "huffyuv": "yuv422p"}
    size = (720, 576) if codec == "dvvideo" else (64, 64)
    pictures = [gradient(size, shade=i) for i in range(6)]
    path = write_clip(
        tmp_path / f"x{suffix}", pictures, codec, pix_fmt=formats.get(codec, "yuv420p")
    )
    with VideoReader(path) as reader:
        frames = list(reader.frames())
    assert len(frames) == 6
    if codec != "dvvideo":  # its pixels are not square
        assert level_error(frames[0].image, pictures[0]) < 25


def tracks(path: Path, videos: list[tuple[int, bool]], sounds: list[tuple[str, bool]]) -> Path:
    """A file of video tracks of sides, and audio tracks of layouts, each the default one or not."""
    with av.open(str(path), "w") as out:
        added = []
        for side, default in videos:
            stream = out.add_stream("libx264", rate=25)
            stream.width = stream.height = side
            stream.pix_fmt, stream.disposition = "yuv420p", int(default)
            added.append((stream, side))
        heard = []
        for layout, default in sounds:
            sound = out.add_stream("aac", rate=44100, layout=layout)
            sound.disposition = int(default)
            heard.append((sound, layout))
        for i in range(3):
            for stream, side in added:
                frame = av.VideoFrame.from_ndarray(gradient((side, side)), format="rgb24")
                frame = frame.reformat(format="yuv420p")
                frame.pts = i
                out.mux(stream.encode(frame))
        for stream, _ in added:
            out.mux(stream.encode(None))
        for sound, layout in heard:
            for frame in tone(0.12, layout=layout):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(("videos", "wanted"), [
    ([(64, False), (48, True)], 48), ([(64, True), (48, False)], 64),
    ([(48, False), (64, False)], 64), ([(64, True), (64, True)], 64),
])  # fmt: skip
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_default_video_track_is_read(tmp_path, suffix, videos, wanted):
    path = tracks(tmp_path / f"x{suffix}", videos, [])
    if suffix == ".mp4" and not any(default for _, default in videos):
        wanted = videos[0][0]  # the format marks the first
    assert VideoReader(path).width == wanted
    for number, (side, _) in enumerate(videos):
        assert VideoReader(path, video_track=number).width == side
    with pytest.raises(UsageError, match="no video track 2; it has 2"):
        VideoReader(path, video_track=2)


@pytest.mark.parametrize(("sounds", "wanted"), [
    ([("stereo", False), ("mono", True)], 1), ([("mono", False), ("stereo", False)], 2),
    ([("stereo", True), ("mono", False)], 2),
])  # fmt: skip
def test_the_default_audio_track_is_read(tmp_path, sounds, wanted):
    path = tracks(tmp_path / "x.mkv", [(64, True)], sounds)
    assert VideoReader(path).audio.channels == wanted
    channels = [2 if layout == "stereo" else 1 for layout, _ in sounds]
    assert [VideoReader(path, audio_track=i).audio.channels for i in (0, 1)] == channels
    with pytest.raises(UsageError, match="no audio track 7"):
        VideoReader(path, audio_track=7)


def test_a_cover_picture_is_no_video(faults, tmp_path):
    with pytest.raises(FacecodecError, match="holds no video, only a cover picture"):
        VideoReader(faults / "cover.m4a")


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "x.flac"), "w") as out:
        sound = out.add_stream("flac", rate=44100, layout="mono")
        for frame in tone(0.2):
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    with pytest.raises(FacecodecError, match="holds no video"):
        VideoReader(tmp_path / "x.flac")


def test_a_codec_that_nothing_decodes_is_one_line(tmp_path):
    path = write_clip(tmp_path / "x.mp4", [gradient()] * 2, audio="aac")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"))
    with pytest.raises(FacecodecError, match="x.mp4: no decoder reads its kind of video"):
        VideoReader(path)
    sound = write_clip(tmp_path / "x.mkv", [gradient()] * 2, audio="aac")
    sound.write_bytes(sound.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    with VideoReader(sound) as reader:
        assert reader.audio is None and reader.audio_dropped == "unknown"


def test_metadata_of_another_encoding_does_not_matter(tmp_path):
    path = write_clip(tmp_path / "x.avi", [gradient()] * 2, "mpeg4")
    with av.open(str(path)) as source, av.open(str(tmp_path / "y.mkv"), "w") as out:
        out.metadata["title"] = "TITLETITLE"
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    data = (tmp_path / "y.mkv").read_bytes()
    (tmp_path / "y.mkv").write_bytes(data.replace(b"TITLETITLE", b"\xff\xfe\xe9\xe8TITLE\xff"))
    assert read_picture(tmp_path / "y.mkv").shape == (SIZE[1], SIZE[0], 3)


def test_random_bytes_behind_every_magic_are_one_line(tmp_path):
    """Whatever libav or Pillow make of them, a FacecodecError with the name comes out."""
    noise = np.random.default_rng(5)
    magics = [
        b"\x1aE\xdf\xa3", b"\0\0\0\x18ftypmp42", b"RIFF\0\0\0\0AVI LIST", b"OggS\0", b"FLV\x01",
        b"G", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"\0\0\x01\xba",
        b"YUV4MPEG2 W8 ", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"II*\0", b"BM",
        b"RIFF\0\0\0\0WEBP",
    ]  # fmt: skip
    for i, magic in enumerate(magics * 3):
        path = tmp_path / f"{i}.bin"
        path.write_bytes(magic + noise.bytes(int(noise.integers(1, 3000))))
        try:
            VideoReader(path)
        except FacecodecError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
            assert "Errno" not in str(error)


def test_reasons_hold_no_numbers_of_errors():
    assert reason(OSError(95, "Operation not supported")) == "operation not supported"
    error = av.error.ArgumentError(22, "avcodec_send_packet() returned 22")
    assert reason(error) == "the decoder refuses it"
    assert "1094995529" not in reason(av.error.InvalidDataError(1094995529, "Invalid data", "x"))


def test_encode_takes_tracks_and_refuses_what_is_no_video(tmp_path):
    path = tracks(tmp_path / "x.mkv", [(64, True), (48, False)], [("mono", True)])
    out = tmp_path / "x.fcv"
    stream = Path(__file__).parents[1] / "vectors" / "streams" / "rough.fcv"
    for given, why in [
        ([path, "--video-track", 5], "no video track 5; it has 2"),
        ([path, "--audio-track", 1], "no audio track 1; it has 1"),
        ([stream], "decode it to get a video"),
    ]:
        with pytest.raises(UsageError, match=why):
            run("encode", given[0], out, *given[1:])


def test_encode_says_before_the_work_which_sound_it_leaves_out(tmp_path, finder):
    path = write_clip(tmp_path / "x.mov", [gradient()] * 2, audio="pcm_s16le")
    done = CliRunner().invoke(main, ["encode", str(path), str(tmp_path / "x.fcv")])
    assert isinstance(done.exception, NoFaceError)
    assert "its audio (pcm_s16le) cannot be stored, and is left out" in done.stderr


def test_ogg_theora_is_read_with_its_empty_packets():
    """repeats.ogv, by ffmpeg: the second and fourth frame repeat the one before, in no byte."""
    with VideoReader(Path(__file__).parent / "repeats.ogv") as reader:
        assert [f.pts for f in reader.frames()] == [0, 2, 4, 5, 6, 7]
        assert (reader.width, reader.height) == (48, 32)


def test_real_files_give_what_they_show(faults):
    base = read_picture(faults / "base.mp4")
    assert level_error(read_picture(faults / "hlg.mp4"), base) < 3
    assert level_error(read_picture(faults / "two_video.mp4"), base) < 3
    assert read_picture(faults / "mat8.mp4").shape == base.shape
    for name, codec in [("av.ts", "aac"), ("av_flac.mkv", "flac")]:
        with VideoReader(faults / name) as reader:
            assert reader.audio is not None and reader.audio.codec == codec


def test_a_photograph_may_be_changed_in_place(tmp_path):
    """torch warns on standard error about pictures that must not be."""
    Image.fromarray(gradient()).save(tmp_path / "who.png")
    assert read_picture(tmp_path / "who.png").flags.writeable


@pytest.mark.parametrize("pixels", ["rgb24", "yuv444p"])
def test_pictures_without_a_container(tmp_path, pixels):
    pictures = [gradient(shade=9 * i) for i in range(4)]
    path = tmp_path / "pictures"
    frames = [
        av.VideoFrame.from_ndarray(p, format="rgb24").reformat(format=pixels) for p in pictures
    ]
    path.write_bytes(b"".join(frame.to_ndarray().tobytes() for frame in frames))
    raw = RawPictures.of(f"{SIZE[0]}x{SIZE[1]}:{pixels}", Fraction(30000, 1001))
    with VideoReader(path, raw=raw) as reader:
        assert (reader.width, reader.height) == SIZE and reader.rate == Fraction(30000, 1001)
        assert reader.frame_count == 4 and reader.audio is None
        read = list(reader.frames())
    assert [frame.pts * reader.time_base for frame in read] == [i / reader.rate for i in range(4)]
    for frame, picture in zip(read, pictures, strict=True):
        assert level_error(frame.image, picture) < (1 if pixels == "rgb24" else 4)
