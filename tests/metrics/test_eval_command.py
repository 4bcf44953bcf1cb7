"""`facecodec eval`: layouts, the puppet's table, its words for what is missing."""

import json
from fractions import Fraction

import pytest
from click.testing import CliRunner

from facecodec.cli.main import main
from facecodec.clip.clip import Clip
from facecodec.clip.scan import Span
from facecodec.face.crop import resize
from facecodec.study.evaluate import evaluate_files
from facecodec.video.reader import VideoReader
from facecodec.video.writer import open_sink

FRAMES = 4


def save(path, pictures):
    height, width = pictures[0].shape[:2]
    with open_sink(str(path), (width, height), Fraction(1, 30), Fraction(30)) as sink:
        for i, picture in enumerate(pictures):
            sink.write(picture, i)
    return path


@pytest.fixture(scope="module")
def videos(clips, finder, tmp_path_factory):
    """The first frames of a clip: as they are, at half size, and the aligned squares of them."""
    folder = tmp_path_factory.mktemp("videos")
    with VideoReader(clips / "man_office_720x1280.mp4") as reader:
        span = Span(max_frames=FRAMES)
        frames = [frame.image for frame in reader.frames(max_frames=FRAMES)]
        clip = Clip(reader, span, occlusions=False)
        squares = [picture for _, picture in clip.squares(512)]
    return {
        "whole": save(folder / "whole.mp4", frames),
        "half": save(folder / "half.mp4", [resize(f, (360, 640)) for f in frames]),
        "square": save(folder / "square.mp4", squares),
    }


@pytest.fixture(scope="module")
def wide(videos, tmp_path_factory):
    """The clip in a square frame, so that its shape alone does not tell frame from square."""
    folder = tmp_path_factory.mktemp("wide")
    with VideoReader(videos["whole"]) as reader:
        frames = [frame.image[250:970] for frame in reader.frames()]
    return save(folder / "wide.mp4", frames)


@pytest.mark.parametrize("which", ["half", "square"])
def test_layout_is_found_by_the_shape(videos, which):
    result = evaluate_files(videos["whole"], videos[which])
    assert result.frames == FRAMES
    assert result["psnr_face"] > 32
    assert result["identity"] < 0.2


def test_layout_is_found_by_the_face(videos, wide):
    assert evaluate_files(wide, wide)["psnr"] == float("inf")
    assert evaluate_files(wide, videos["square"])["psnr_face"] > 30
    wrong = evaluate_files(wide, videos["square"], layout="frame")
    assert wrong["psnr_face"] < 20


def test_aligned_takes_pictures_as_they_are(videos):
    assert evaluate_files(videos["square"], videos["square"], aligned=True)["ssim"] == 1


def run(*arguments):
    return CliRunner().invoke(main, ["eval", *map(str, arguments)])


def test_json_and_the_words_for_what_is_missing(videos):
    done = run(videos["whole"], videos["half"], "--json", "--max-frames", 3)
    facts = json.loads(done.stdout)
    assert facts["frames"] == 3 and facts["values"]["psnr"] > 25
    assert facts["values"]["fid"] is None and "needs" in facts["missing"]["fid"]
    table = run(videos["whole"], videos["half"], "--max-frames", 3).stdout
    assert "n/a" in table and "--face-landmarker" in table


def test_puppet_table(videos):
    done = run("--puppet", videos["square"], videos["whole"], videos["square"], "--json")
    facts = json.loads(done.stdout)
    assert facts["puppet"] and facts["values"]["identity"] < 0.25
    assert "psnr" not in facts["values"]


def test_misuse_is_one_line(videos, tmp_path):
    assert "takes 2 files" in run(videos["whole"]).output
    assert "takes 3 files" in run("--puppet", videos["whole"], videos["half"]).output
    missing = run(tmp_path / "absent.mp4", videos["half"])
    assert "no such file" in str(missing.exception)
    wrong = run(videos["whole"], videos["square"], "--layout", "frame")
    assert "layout 'square'" in str(wrong.exception)
